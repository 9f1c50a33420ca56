"""List the published answers that this version of the answer grammar reads otherwise than an earlier one.

    python -m benchmarks.changed_answers FOLDER --since COMMIT

FOLDER holds published predictions (``tempcompass/*_predictions.json`` or ``*_graded.json``,
``qvhighlights/*preds.jsonl``, any ``*.jsonl`` with an ``answer`` or ``response`` a line). Every answer is read by both
versions; each that changed is printed with both readings, and counted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_READER = """
import json, sys
from timeground.grammar.answers import parse_option, parse_spans, parse_yes_no
for line in sys.stdin:
    text, options = json.loads(line)
    if options:
        found = parse_option(text, options).letter
    elif options is None:
        parsed = parse_spans(text)
        found = [[s.start_s, s.end_s] for s in parsed.spans] or ("absent" if parsed.absent else "unreadable")
    else:
        found = parse_yes_no(text).value
    print(json.dumps(found))
"""


def answers(folder: Path) -> Iterator[tuple[str, str, list[str] | None]]:
    """File, text and options (None: asked for spans; empty: for yes or no) of every published answer."""
    for path in sorted(folder.rglob("*.json")):
        if path.stem.endswith(("_predictions", "_graded")):
            for item in _items(json.loads(path.read_text())):
                text = item.get("prediction", item.get("video-llm-prediction"))
                yield path.name, str(text), item["question"].split("\n")[1:]
    for path in sorted(folder.rglob("*.jsonl")):
        for line in path.read_text().splitlines():
            record = json.loads(line)
            said = record.get("pred_relevant_windows", record.get("answer", record.get("response")))
            if "pred_relevant_windows" in record or isinstance(said, str):
                yield path.name, said if isinstance(said, str) else json.dumps(said), None


def _items(value: Any) -> Iterator[dict[str, Any]]:
    """Every object that holds a question, however deep."""
    if isinstance(value, dict) and "question" in value:
        yield value
    else:
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from _items(inner)


def read_with(root: Path, asked: list[tuple[str, list[str] | None]]) -> list[Any]:
    """What the grammar in a checkout reads from each answer."""
    lines = "".join(json.dumps(one) + "\n" for one in asked)
    done = subprocess.run(
        [sys.executable, "-c", _READER], input=lines, capture_output=True, text=True, cwd=root, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def checkout(commit: str, folder: Path) -> Path:
    """The library as it was at a commit, in a folder."""
    archive = subprocess.run(["git", "archive", commit, "timeground"], capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder


def main() -> None:
    """Print each changed answer and a count for each file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--since", required=True, help="the commit whose readings to compare with")
    args = parser.parse_args()
    published = list(answers(args.folder))
    asked = [(text, options) for _, text, options in published]
    with tempfile.TemporaryDirectory() as folder:
        before = read_with(checkout(args.since, Path(folder)), asked)
    after = read_with(Path.cwd(), asked)
    counts: dict[str, list[int]] = {}
    for (file, text, options), old, new in zip(published, before, after, strict=True):
        count = counts.setdefault(file, [0, 0])
        count[0] += 1
        count[1] += old != new
        if old != new:
            print(f"{file}: {old} -> {new}: {text!r}" + (f" {options}" if options else ""))
    for file, (total, changed) in counts.items():
        print(f"{file}: {changed} of {total} answers are read otherwise")


if __name__ == "__main__":
    main()
