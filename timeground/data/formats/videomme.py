"""Video-MME: one Parquet file on the Hub (lmms-lab/Video-MME), or the same rows as JSON or JSONL.

Columns ``video_id, duration (short|medium|long), domain, sub_category, url, videoID, question_id, task_type, question,
options, answer``; options carry their letters. ``duration`` is a class and not a length. Parquet needs pyarrow.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timeground.data.formats.files import UNKNOWN_DURATION_S, find_file, record
from timeground.data.formats.options import bare_options, leading_letter
from timeground.data.formats.tables import read_table
from timeground.data.rows import Row

SPLITS = ("test",)
DOWNLOAD = "huggingface.co/datasets/lmms-lab/Video-MME"
_NAMES = ("videomme/test-00000-of-00001.parquet", "test-00000-of-00001.parquet", "videomme.jsonl", "videomme.json")


def read(root: Path, split: str = "test") -> Iterator[Row]:
    """Yield rows of the file, ids are the benchmark's ``question_id``."""
    path = find_file(root, *_NAMES, download=DOWNLOAD)
    for number, entry in read_table(path):
        with record(path, number):
            yield _row(entry)


def _row(entry: dict[str, Any]) -> Row:
    options = bare_options(list(entry["options"]))
    return Row(
        id=str(entry["question_id"]),
        video=f"{entry['videoID']}.mp4",
        duration=UNKNOWN_DURATION_S,
        source="videomme",
        question=entry["question"],
        options=options,
        answer=leading_letter(entry["answer"], options),
        meta={key: entry[key] for key in ("duration", "domain", "sub_category", "task_type")},
    )
