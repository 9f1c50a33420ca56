"""Rows and runs that tests of the data pipeline share."""

from __future__ import annotations

import json
from pathlib import Path

from timeground.cli.main import main
from timeground.data.rows import Row
from timeground.spans import Span

LIGHT = [{"stage": "probe", "min_s": 1}, {"stage": "duplicates"}, {"stage": "shots"}, {"stage": "direction"}]
"""Stages that ask no model."""


def make_row(name: str = "a", query: str = "the red circle moves left", spans=((2.0, 4.0),), **more) -> Row:
    return Row(name, "v.mp4", 20.0, query, [Span(*pair) for pair in spans], **more)


def passes(*answers) -> list[dict]:
    return [{"pass": "p", "spans": spans, "absent": spans == []} for spans in answers]


def answered(row: Row, *answers) -> Row:
    row.quality["passes"] = passes(*answers)
    return row


def run(*arguments: object) -> int:
    """The exit status of `timeground data run`."""
    return main(["data", "run", *map(str, arguments), "--quiet"])


def finals(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in ("rows.jsonl", "rejected.jsonl", "summary.json")}


def rejected(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "rejected.jsonl").read_text().splitlines()]


def summary(out: Path) -> dict:
    return json.loads((out / "summary.json").read_text())


def sensible(text: str) -> str:
    """What a good model says about the rows of the fixture `three`."""
    if "JSON" in text:
        return '{"reason": "they talk", "sensitive": false}'
    if text.startswith(("Does this happen", "Is this", "Is there")):
        return "Yes."
    return "1.0 - 3.0 seconds" if "slides" in text else "4.0 - 6.0 seconds"
