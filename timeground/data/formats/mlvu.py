"""MLVU, multiple choice of the dev set: seven JSON lists, ``json/1_plotQA.json`` to ``json/7_topic_reasoning.json``.

``{video, duration, question, candidates, answer (a text), question_type}``. The two generation tasks (8, 9) are left
out: only a language model can grade them. Of options that are the same the last is the right one, and where the answer
is none of them (items 34 and 338 of ``2_needle.json``) no answer is right, as in the benchmark's code. Format:
JUNJIE99/MLVU, MLVU on the Hub.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timeground.data.formats.files import read_json, record, report_unanswerable, seconds
from timeground.data.formats.options import letter_of_text
from timeground.data.rows import Row
from timeground.errors import UserError

SPLITS = ("dev",)
DOWNLOAD = "huggingface.co/datasets/MLVU/MVLU"
TASKS = ("1_plotQA", "2_needle", "3_ego", "4_count", "5_order", "6_anomaly_reco", "7_topic_reasoning")


def read(root: Path, split: str = "dev") -> Iterator[Row]:
    """Yield rows of the task files that are there; ids are ``<task>-<number>``."""
    folders = [root / "json", root / "data", root]
    paths = [root] if root.is_file() else [f / f"{t}.json" for f in folders for t in TASKS]
    paths = [path for path in paths if path.is_file()]
    if not paths:
        raise UserError(f"{root}: no file json/{TASKS[0]}.json (to {TASKS[-1]}); download them from {DOWNLOAD}")
    for path in paths:
        unanswerable = 0
        for number, item in enumerate(read_json(path)):
            with record(path, f"item {number}"):
                row = _row(path.stem, number, item)
            unanswerable += row.answer is None
            yield row
        report_unanswerable(path, unanswerable)


def _row(task: str, number: int, item: dict[str, Any]) -> Row:
    return Row(
        id=f"{task}-{number}",
        video=f"{task}/{item['video']}",
        duration=seconds(item["duration"]),
        source="mlvu",
        question=item["question"],
        options=list(item["candidates"]),
        answer=letter_of_text(item["answer"], item["candidates"], last=True),
        meta={"task": task},
    )
