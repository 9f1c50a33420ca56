"""Does the pipeline clean? True SynthMoments rows, a third of them damaged, re-annotated by a recipe, and counted.

    python -m benchmarks.pipeline_cleans --rows 300

Five kinds of damage, those that TimeLens's audit counts: a wrong span, a query for an event that is not there, a query
that fits several moments, a second row for the same event, wording that gives the position away. Found means: dropped
or changed. A run that was stopped goes on. Prints one JSON line: precision and recall over all, by class, and over the
span and missing-event classes; mean IoU of the rows' spans with the truth of their queries (none for what does not
happen, all moments for a query that fits several): of all rows before, and of the kept rows after.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import cache_folder, machine, versions
from benchmarks.tiny_grounding import dataset
from timeground.data.rows import Row, read_rows, write_rows
from timeground.spans import Span, set_iou

KINDS = ("span", "missing", "ambiguous", "duplicate", "leak")
LEAKS = ("at the beginning of the video", "in the first 10 seconds", "near the end of the video", "at 0:05")


def true_rows(root: Path, count: int) -> list[Row]:
    """Rows with one true span, as many from each video, in order."""
    rows = [row for row in read_rows(root / "annotations.jsonl") if row.meta["kind"] in ("single", "ordered")]
    rows = [row for row in rows if len(row.spans) == 1 and row.spans[0].length_s < 0.6 * row.duration]
    return rows[:count]


Damaged = tuple[list[Row], dict[str, str], dict[str, list[Span]]]


def damage(rows: Sequence[Row], everything: Sequence[Row], share: float, seed: int) -> Damaged:
    """Copies of the rows with a share of them damaged, the kind of damage and the spans of its query by row id.

    A duplicate is one more row, so the list grows by those.
    """
    rng = np.random.default_rng(seed)
    chosen = set(rng.permutation(len(rows))[: round(share * len(rows))].tolist())
    made, kinds, truth = [], {}, {row.id: row.spans for row in rows}
    for place, row in enumerate(rows):
        new = deepcopy(row)
        new.direction, new.mirrored_query, new.meta = "unknown", None, {}
        made.append(new)
        if place not in chosen:
            continue
        kind = KINDS[len(kinds) % len(KINDS)]
        if kind == "ambiguous" and not (several := _several(row, everything)):
            kind = "span"
        if kind == "duplicate":
            twin = deepcopy(new)
            twin.id, twin.query = f"{row.id}-again", _reworded(row, everything)
            made.append(twin)
            kinds[twin.id], truth[twin.id] = kind, row.spans
            continue
        if kind == "span":
            new.spans = [_wrong_span(row, rng)]
        elif kind == "missing":
            new.query, truth[row.id] = _absent(row, everything, rng), []
        elif kind == "ambiguous":
            new.query, truth[row.id] = several
            new.spans = truth[row.id][:1]
        else:
            new.query = f"{row.query} {LEAKS[int(rng.integers(len(LEAKS)))]}"
        kinds[new.id] = kind
    return made, kinds, truth


def _wrong_span(row: Row, rng: np.random.Generator) -> Span:
    """A span of the same length with an IoU below 0.2."""
    length_s = row.spans[0].length_s
    starts = np.linspace(0, row.duration - length_s, 50)
    spans = [Span(round(s, 1), round(s + length_s, 1)) for s in starts]
    far = [span for span in spans if set_iou([span], row.spans) < 0.2 and span.end_s <= row.duration]
    return far[int(rng.integers(len(far)))] if far else Span(0.0, round(max(0.5, row.spans[0].start_s), 1))


def _absent(row: Row, everything: Sequence[Row], rng: np.random.Generator) -> str:
    """A query for something that does not happen in this video."""
    here = [other.query for other in everything if other.video == row.video and other.meta["kind"] == "absent"]
    return here[int(rng.integers(len(here)))]


def _several(row: Row, everything: Sequence[Row]) -> tuple[str, list[Span]] | None:
    """A query of this video that fits several moments, and those."""
    for other in everything:
        if other.video == row.video and other.meta["kind"] == "multi":
            return other.query, other.spans
    return None


def _reworded(row: Row, everything: Sequence[Row]) -> str:
    """The same event asked again: in the words of the yes/no rows if there are any, else in its own."""
    same = [o.query for o in everything if o.video == row.video and o.spans == row.spans and o.query != row.query]
    return same[0] if same else row.query


def count(kinds: dict[str, str], found: set[str], all_ids: Sequence[str]) -> dict[str, Any]:
    """Precision and recall of finding damaged rows."""
    wrong = found - set(kinds)
    result: dict[str, Any] = {}
    for name, group in {**{k: (k,) for k in KINDS}, "span and missing": ("span", "missing"), "all": KINDS}.items():
        damaged = {i for i, kind in kinds.items() if kind in group}
        hit = len(damaged & found)
        result[name] = {"damaged": len(damaged), "recall": round(hit / len(damaged), 3) if damaged else None}
        if len(group) > 1:
            result[name]["precision"] = round(hit / (hit + len(wrong)), 3) if hit + len(wrong) else None
    result["undamaged rows found"] = f"{len(wrong)} of {len(set(all_ids) - set(kinds))}"
    return result


def folder_for(num_rows: int, seed: int, split: str = "test") -> Path:
    """Where the damaged and the cleaned rows lie."""
    folder = cache_folder() / f"pipeline-cleans-{split}-{num_rows}-{seed}"
    folder.mkdir(exist_ok=True)
    return folder


def clean(args: argparse.Namespace) -> tuple[Path, list[Row], dict[str, str], dict[str, list[Span]]]:
    """Damage rows and run the recipe on them: its output folder, the rows before, their damage, their true spans."""
    root = dataset(args.split, args.videos, args.seed)
    everything = list(read_rows(root / "annotations.jsonl"))
    truth = true_rows(root, args.rows)
    if len(truth) < args.rows:
        print(f"{args.videos} videos have only {len(truth)} such rows; more come with --videos", file=sys.stderr)
    rows, kinds, true_spans = damage(truth, everything, args.share, args.seed)
    folder = folder_for(args.rows, args.seed, args.split)
    write_rows(folder / "damaged.jsonl", rows)
    settings = [f"input.videos={root}", f"input.rows={folder / 'damaged.jsonl'}", f"output={folder / 'out'}"]
    command = [sys.executable, "-m", "timeground", "data", "run", args.recipe, *settings, *args.overrides]
    subprocess.run([*command, "--workers", args.workers], check=True, stdout=sys.stderr)
    return folder / "out", rows, kinds, true_spans


def parser(about: str) -> argparse.ArgumentParser:
    """The options of what is damaged, and by what it is cleaned."""
    made = argparse.ArgumentParser(description=about)
    made.add_argument("--rows", type=int, default=300)
    made.add_argument("--videos", type=int, default=100)
    made.add_argument("--share", type=float, default=1 / 3)
    made.add_argument("--recipe", default="tiny-clean")
    made.add_argument("--workers", default="1")
    made.add_argument("overrides", nargs="*", help="changes to the recipe, such as models.judge.name=FOLDER")
    return made


def main() -> None:
    """Damage, clean, count, print."""
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--split", default="test", choices=["validation", "test", "held_out"])
    out, rows, kinds, true_spans = clean(options.parse_args())
    left = {row.id: row for row in read_rows(out / "rows.jsonl")}
    before = {row.id: row for row in rows}
    judged = ("spans", "query")
    found = {i for i in before if i not in left or any(e["what"] in judged for e in left[i].history)}
    result = {
        "benchmark": "pipeline_cleans",
        "rows": len(rows),
        "found": count(kinds, found, list(before)),
        "rows_kept": len(left),
        "mean_iou_before": _mean_iou(before, before, true_spans),
        "mean_iou_of_kept_before": _mean_iou(before, left, true_spans),
        "mean_iou_of_kept_after": _mean_iou(left, left, true_spans),
        "versions": versions("torch", "transformers", "av"),
        "machine": machine(),
    }
    print(json.dumps(result))


def _mean_iou(rows: dict[str, Row], ids: Iterable[str], true_spans: dict[str, list[Span]]) -> float:
    return round(statistics.fmean(set_iou(rows[i].spans, true_spans[i]) for i in ids), 4)


if __name__ == "__main__":
    main()
