"""What the task files call: lmms-eval asks and generates, timeground reads the rows and judges the replies.

lmms-eval loads ``<task>.jsonl``, which only names a task of `timeground eval`; `rows` puts that task's rows in its
place, read from the folder that ``TIMEGROUND_DATA`` names (what ``--data`` names elsewhere). Metrics are those of the
strict protocol, in percent. Written for lmms-eval 0.7.3 (https://github.com/EvolvingLMMs-Lab/lmms-eval).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from timeground.chat.prompts import get_prompts, row_answer
from timeground.data.rows import Row, resolve_video
from timeground.errors import UserError
from timeground.files.json_text import dump_json

from ..reading import Prediction
from ..score import judge_for
from ..tasks import Task, get_spec, load_task

DATA = "TIMEGROUND_DATA"
METRICS = ("R1@0.3", "R1@0.5", "R1@0.7", "mIoU", "accuracy")
"""What the task files list; lmms-eval refuses others."""
Doc = Mapping[str, Any]


def rows(named: Any) -> Any:
    """Return a `datasets.Dataset` with a document for each row of the task that the given one names (``process_docs``).

    A document has ``task``, ``id``, ``video`` (a path), ``query`` (or question), ``row`` (the whole row as JSON).
    Raise UserError if ``TIMEGROUND_DATA`` is not set, or the task's files are not there.
    """
    from datasets import Dataset

    name = named[0]["task"]
    if DATA not in os.environ:
        raise UserError(f"lmms-eval task {name}: set {DATA} to the folder with the benchmarks' folders in it")
    task = load_task(get_spec(name), data=Path(os.environ[DATA]))
    return Dataset.from_list([document(task, row) for row in task.rows])


def document(task: Task, row: Row) -> dict[str, str]:
    """Return a row as a document."""
    if row.window is not None:
        raise UserError(f"row {row.id} asks about a part of its file, which lmms-eval cannot show; use timeground eval")
    return {
        "task": task.spec.name,
        "id": row.id,
        "video": str(resolve_video(task.video_root, row.video)),
        "query": row.query or row.question or "",
        "row": dump_json(row.to_json()),
    }


def doc_to_visual(doc: Doc) -> list[str]:
    """Return the video's path; raise UserError if there is no such file."""
    if not Path(doc["video"]).exists():
        raise UserError(f"{doc['video']} is not there; put the benchmark's videos in the layout of docs/evaluation.md")
    return [doc["video"]]


def doc_to_text(doc: Doc, lmms_eval_specific_kwargs: Mapping[str, str] | None = None) -> str:
    """Return the question, as the prompt set ``prompt`` of the task file words it (``timelens`` if none is named)."""
    prompts = get_prompts((lmms_eval_specific_kwargs or {}).get("prompt", "timelens"))
    return Task(get_spec(doc["task"]), [], Path()).prompt(_row(doc), prompts)


def doc_to_target(doc: Doc) -> str:
    """Return the true answer in words."""
    return row_answer(get_prompts("timelens"), _row(doc))


def process_results(doc: Doc, results: Sequence[str]) -> dict[str, float]:
    """Return the strict metrics of one reply, in percent; lmms-eval's ``mean`` over all rows is the score."""
    judge = judge_for(get_spec(doc["task"]), {})
    judged = judge(_row(doc), Prediction(text=results[0]))
    return {name: 100 * value for name, value in judged.values.items() if name in METRICS}


def _row(doc: Doc) -> Row:
    return Row.from_json(json.loads(doc["row"]))
