"""LongVideoBench: ``lvb_val.json``, a list (1,337 items, from memory), or the Hub's rows with ``option0`` and on.

Keys ``id, video_path, question, candidates, correct_choice (a number), duration, duration_group, question_category,
subtitle_path``; "N/A" fills up missing options in the Hub's form. The JSON form was read in the benchmark's own
loader; **the Hub's form is not verified**. The test file has no right answers (``meta["unlabelled"]``).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timeground.data.formats.files import find_file, record, seconds
from timeground.data.formats.options import letter_at
from timeground.data.formats.tables import read_table
from timeground.data.rows import Row

SPLITS = ("val", "test")
DOWNLOAD = "huggingface.co/datasets/longvideobench/LongVideoBench"
_KEPT = ("duration_group", "question_category", "subtitle_path", "starting_timestamp_for_subtitles")


def read(root: Path, split: str = "val") -> Iterator[Row]:
    """Yield rows of ``lvb_val.json`` (or ``lvb_test_wo_gt.json``)."""
    names = {"val": ("lvb_val.json",), "test": ("lvb_test_wo_gt.json", "lvb_test.json")}[split]
    path = find_file(root, *names, download=DOWNLOAD)
    for number, entry in read_table(path):
        with record(path, number):
            yield _row(entry)


def _row(entry: dict[str, Any]) -> Row:
    listed = entry.get("candidates") or [entry[f"option{i}"] for i in range(5) if f"option{i}" in entry]
    options = [option for option in listed if option != "N/A"]
    choice = entry.get("correct_choice")
    labelled = isinstance(choice, int) and choice >= 0
    return Row(
        id=str(entry["id"]),
        video=entry["video_path"],
        duration=seconds(entry["duration"]),
        source="longvideobench",
        question=entry["question"],
        options=options,
        answer=letter_at(int(entry["correct_choice"]), options) if labelled else None,
        meta={key: entry[key] for key in _KEPT if key in entry} | ({} if labelled else {"unlabelled": True}),
    )
