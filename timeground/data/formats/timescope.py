"""TimeScope and LongTimeScope: short clips hidden in videos of up to ten hours, and questions with options about them.

``{id, video, question, answer: "C", type: "QA" | "OCR" | "temporal", length}``; the options stand in the question,
one a line behind their letters, and ``length`` is taken for the video's, in
seconds. Where ``input`` holds the whole prompt,
that is what is read after its "Question:". Keys as in lmms-eval's tasks (EvolvingLMMs-Lab/lmms-eval 75571cf,
``lmms_eval/tasks/timescope/utils.py``, and ``longtimescope``). **Not checked** against the published files, whose
names are not known here either: a table of that form under any of the names below is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timeground.data.formats.files import find_file, good_rows, seconds
from timeground.data.formats.options import leading_letter, split_question
from timeground.data.formats.tables import read_table, table_names
from timeground.data.rows import Row

SPLITS = ("test",)
DOWNLOAD = "huggingface.co/datasets/Apollo-LMMs/TimeScope (LongTimeScope: Apollo-LMMs/LongTimeScope2)"
ASKED = "Question:"


def read(root: Path, split: str = "test") -> Iterator[Row]:
    """Yield rows of the table of a split."""
    path = find_file(root, *table_names(split), download=DOWNLOAD)
    yield from good_rows(path, read_table(path), _row)


def _row(_: object, item: dict[str, Any]) -> Row:
    text = item.get("input") or item["question"]
    question, options = split_question(text.rpartition(ASKED)[2].strip())
    if not options:
        raise ValueError("the question has no options behind letters")
    return Row(
        id=str(item["id"]),
        video=item["video"],
        duration=seconds(item["length"]),
        source="timescope",
        question=question,
        options=options,
        answer=leading_letter(item["answer"], options),
        meta={"type": item["type"], "length": str(item["length"])},
    )
