"""Are the official numbers the official ones? Compares with the benchmarks' own code and files, and prints a table.

    python -m benchmarks.oracles FOLDER

FOLDER holds what the benchmarks publish (`qvhighlights/`, `tempcompass/`, `charades/`, ...); what is not there is left
out. Two kinds of comparison: published predictions with their published grades or metrics, and made-up predictions
(``oracle_replies.py``) for published annotations, whose scores by the benchmark's own code stand in
``oracle_values.json`` with the file and commit that gave them. Ends with status 1 where a value differs.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from timeground.eval.official import lvbench, mlvu, mvbench, tempcompass
from timeground.eval.predictions import read_predictions
from timeground.eval.reading import Prediction
from timeground.eval.score import score
from timeground.eval.scores import Scores
from timeground.eval.tasks import Task, get_spec, load_task

from benchmarks import oracle_replies
from timeground.data.rows import Row
from timeground.errors import UserError

VALUES = Path(__file__).parent / "oracle_values.json"
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Compared:
    """One comparison. differing: what we have and what is right, by name."""

    what: str
    source: str
    num_values: int
    differing: Mapping[str, tuple[Any, Any]]


def compared(what: str, source: str, ours: Values, theirs: Values, tolerance: float = 1e-6) -> Compared:
    """Every value that they have, with ours."""
    pairs = {name: (ours.get(name), value) for name, value in theirs.items()}
    wrong = {name: pair for name, pair in pairs.items() if not _equal(*pair, tolerance)}
    return Compared(what, source, len(theirs), wrong)


def _equal(ours: Any, theirs: Any, tolerance: float) -> bool:
    if isinstance(theirs, float | int) and isinstance(ours, float | int):
        return abs(ours - theirs) <= tolerance
    return bool(ours == theirs)


def leaves(tree: Any, name: str = "") -> dict[str, Any]:
    """The values of nested JSON by their paths."""
    if isinstance(tree, dict):
        return {path: value for key, inner in tree.items() for path, value in leaves(inner, f"{name}/{key}").items()}
    return {name: tree}


def qvhighlights(folder: Path) -> Iterator[Compared]:
    """The metrics file that moment_detr publishes beside its sample predictions."""
    files = [folder / "qvhighlights" / f"sample_val_preds{rest}" for rest in (".jsonl", "_metrics_raw.json")]
    if all(file.is_file() for file in files):
        found = published(folder, "qvhighlights", files[0])
        ours, theirs = leaves(found.layouts["official"]), leaves(json.loads(files[1].read_text(encoding="utf-8")))
        yield compared("QVHighlights", "jayleicn/moment_detr, sample metrics", ours, theirs, 0)


GRADES = {
    "multi-choice": ("tempcompass", tempcompass.grade_multi_choice),
    "yes_no": ("tempcompass-yes-no", tempcompass.grade_yes_no),
    "caption_matching": ("tempcompass-matching", tempcompass.grade_matching),
}


def tempcompass_grades(folder: Path) -> Iterator[Compared]:
    """Each published grade that a rule decided; where none did, that none does, or that it says what GPT said.

    The rules for matching were widened after some of the grades were published.
    """
    for kind, (task_name, grade) in GRADES.items():
        for graded_file in sorted((folder / "tempcompass").glob(f"*_{kind}_graded.json")):
            task = load_task(get_spec(task_name), data=folder)
            graded = json.loads(graded_file.read_text(encoding="utf-8"))
            items = {(v, q["question"]): q for v, aspects in graded.items() for each in aspects.values() for q in each}
            ours, theirs = {}, {}
            for row in task.rows:
                item = items.get((row.video.removesuffix(".mp4"), row.meta["question"]))
                if item is None:
                    continue
                said = Prediction(text=item["video-llm-prediction"])
                ours[row.id] = tempcompass.graded(grade, row, said)
                decided = item["match_success"] or ours[row.id] is not None
                theirs[row.id] = bool(item["rating"]) if decided else None
            model = graded_file.name.split("_")[0]
            yield compared(f"TempCompass {kind}, {model}", "llyx97/TempCompass, auto_eval_results", ours, theirs)


def vue_tr(folder: Path) -> Iterator[Compared]:
    """The tables of results that bytedance/vidi publishes beside the predictions."""
    for name, root in (("vue-tr", folder / "VUE_TR"), ("vue-tr-v2", folder / "VUE_TR_V2")):
        tables = [root / "results_table.csv", root / "results" / "results_table.csv"]
        table = next((file for file in tables if file.is_file()), None)
        for file in sorted(root.glob("results_*.json")) if table else ():
            assert table is not None
            method = file.stem.removeprefix("results_")
            with table.open(encoding="utf-8", newline="") as lines:
                cells = [line for line in csv.DictReader(lines) if line["method"] == method]
            ours = published(folder, name, file).layouts["official"]
            kinds = ("precision", "recall", "iou")
            named = {f"/{line['attribute']}/{kind}": line[kind] for line in cells for kind in kinds}
            theirs = {path.replace("/iou", "/IoU"): float(cell.rstrip("%")) for path, cell in named.items()}
            digits = max((len(cell.rstrip("%").partition(".")[2]) for cell in named.values()), default=1)
            if theirs:
                source = "bytedance/vidi, results_table.csv"
                yield compared(f"{name}, {method}", source, leaves(ours), theirs, 0.51 * 10**-digits)


def published(folder: Path, task_name: str, predictions: Path) -> Scores:
    """Published predictions, scored."""
    task = load_task(get_spec(task_name), data=folder)
    return task.score(read_predictions([predictions], task.rows).by_row)


MADE_UP: dict[str, tuple[str, str, Callable[[Task], Mapping[str, Prediction]], dict[str, Any]]] = {
    "charades": ("charades", "", lambda task: oracle_replies.replies(task.rows, 1), {}),
    "charades-2025": ("charades", "", lambda task: oracle_replies.replies(task.rows, 1), {"official": "charades-2025"}),
    "activitynet": ("activitynet", "val", lambda task: oracle_replies.replies(task.rows[:2000], 2), {}),
    "timelens": ("charades", "", lambda task: oracle_replies.spans(task.rows, 3), {"official": "timelens"}),
    "tvgbench": ("tvgbench", "", lambda task: oracle_replies.replies(task.rows, 4), {}),
    "tacos": ("tacos", "", lambda task: oracle_replies.spans(task.rows, 5, most=9), {"nms": 0.4}),
    "nextgqa-val": ("nextgqa", "val", lambda task: _with_letters(task, 6), {}),
    "nextgqa-test": ("nextgqa", "test", lambda task: _with_letters(task, 7), {}),
    "rextime": ("rextime", "", lambda task: _for_all(task, 8), {}),
    "mlvu": ("mlvu", "", lambda task: oracle_replies.said_letters(_of_task(task, "2_needle"), 9), {}),
}
"""By name: task, split (its own if empty), predictions, and what is changed in the task."""


def _of_task(task: Task, name: str) -> list[Row]:
    return [row for row in task.rows if row.meta["task"] == name]


def _with_letters(task: Task, seed: int) -> dict[str, Prediction]:
    answers = oracle_replies.letters(task.rows, seed)
    spans = oracle_replies.spans(task.rows, seed)
    return {row_id: answer.merged(spans.get(row_id, Prediction())) for row_id, answer in answers.items()}


def _for_all(task: Task, seed: int) -> dict[str, Prediction]:
    """A span and a letter for every row, as ReXTime's evaluator wants."""
    found = _with_letters(task, seed)
    return {row_id: said.merged(Prediction(spans=said.spans or ((0.0, 1.0),))) for row_id, said in found.items()}


def made_up(folder: Path, name: str) -> tuple[Task, Mapping[str, Prediction]] | None:
    """The task with its changes and the made-up predictions; None where its files are not in the folder."""
    task_name, split, make, changes = MADE_UP[name]
    try:
        task = load_task(get_spec(task_name), data=folder, split=split)
    except UserError:
        return None
    task = replace(task, spec=replace(task.spec, **changes))
    return task, make(task)


def scored_values(folder: Path) -> Iterator[Compared]:
    """Made-up predictions for published annotations."""
    for name, entry in json.loads(VALUES.read_text(encoding="utf-8")).items():
        if name in MADE_UP and (found := made_up(folder, name)):
            task, predictions = found
            scores = score(task.spec, task.rows, predictions)
            ours = leaves(scores.layouts["official"]) if name == "rextime" else scores.official or {}
            yield compared(f"{name}, made-up predictions", entry["source"], ours, entry["values"], entry["tolerance"])


MATCHERS: dict[str, Callable[[str], Any]] = {
    "mvbench matching": lambda reply: mvbench.is_right(reply, "B"),
    "mlvu matching": lambda reply: mlvu.letter(reply) == "B",
    "lvbench reading": lvbench.polished,
}


def matched_replies(_: Path) -> Iterator[Compared]:
    """Rules that compare a reply with a letter: no file is needed."""
    for name, entry in json.loads(VALUES.read_text(encoding="utf-8")).items():
        if name in MATCHERS:
            ours = {reply: MATCHERS[name](reply) for reply in entry["values"]}
            yield compared(name, entry["source"], ours, entry["values"], 0)


def every(folder: Path) -> Iterator[Compared]:
    """All comparisons whose files are in the folder."""
    for check in (qvhighlights, tempcompass_grades, vue_tr, scored_values, matched_replies):
        yield from check(folder)


def main() -> int:
    """Print the table; status 1 where a value differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    args = parser.parse_args()
    if not args.folder.is_dir():
        print(f"oracles: {args.folder} is no folder; give the one with the benchmarks' folders in it", file=sys.stderr)
        return 2
    num_values = num_wrong = 0
    print(f"{'equal':>6} {'of':>6}  {'comparison':44} source")
    for one in every(args.folder):
        num_values, num_wrong = num_values + one.num_values, num_wrong + len(one.differing)
        print(f"{one.num_values - len(one.differing):6} {one.num_values:6}  {one.what:44} {one.source}")
        for name, (ours, theirs) in list(one.differing.items())[:3]:
            print(f"{'':15}{name}: here {ours}, there {theirs}")
    print(f"{num_values - num_wrong:6} {num_values:6}  in all")
    return int(num_wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
