"""One row as other trainers want it: plain functions from a row to the object of a line."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from timeground.chat.prompts import PromptSet, row_answer, row_prompt
from timeground.data.rows import Row


def timelens(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """TimeLens-100K's lines: ``{source, video_path, duration, events: [{query, span: [[start, end]]}]}``, one a video.

    Rows without a span and questions have no place there.
    """
    lines = []
    usable = (row for row in rows if row.task == "ground" and row.spans)
    for (video, duration), group in groupby(usable, key=lambda row: (row.video, row.duration)):
        held = list(group)
        events = [{"query": row.query, "span": [span.to_list() for span in row.spans]} for row in held]
        lines.append({"source": held[0].source, "video_path": video, "duration": duration, "events": events})
    return lines


def ms_swift(row: Row, prompts: PromptSet, path: Path) -> dict[str, Any]:
    """ms-swift: ``messages`` with ``<video>`` where the video goes, ``videos``; ``solution`` for its GRPO."""
    messages = _messages("<video>" + row_prompt(prompts, row), row_answer(prompts, row))
    return {"messages": messages, "videos": [str(path)], "solution": _solution(row, prompts), "id": row.id}


def llama_factory(row: Row, prompts: PromptSet, path: Path) -> dict[str, Any]:
    """LLaMA-Factory, `sharegpt` formatting with OpenAI's role names; `DATASET_INFO` registers it."""
    messages = _messages("<video>" + row_prompt(prompts, row), row_answer(prompts, row))
    return {"messages": messages, "videos": [str(path)]}


DATASET_INFO = {
    "timeground": {
        "file_name": "llama-factory.jsonl",
        "formatting": "sharegpt",
        "columns": {"messages": "messages", "videos": "videos"},
        "tags": {
            "role_tag": "role",
            "content_tag": "content",
            "user_tag": "user",
            "assistant_tag": "assistant",
        },
    }
}


def trl(row: Row, prompts: PromptSet, path: Path) -> dict[str, Any]:
    """TRL: conversational ``prompt`` and ``completion``; ``solution`` reaches reward functions as a column."""
    asked = [{"type": "video", "video": str(path)}, {"type": "text", "text": row_prompt(prompts, row)}]
    answered = [{"type": "text", "text": row_answer(prompts, row)}]
    return {
        "prompt": [{"role": "user", "content": asked}],
        "completion": [{"role": "assistant", "content": answered}],
        "solution": _solution(row, prompts),
        "duration": row.duration,
    }


def _messages(asked: str, answered: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]


def _solution(row: Row, prompts: PromptSet) -> Any:
    """What a reward compares with: spans for a grounding row, else the answer's text."""
    return [span.to_list() for span in row.spans] if row.task == "ground" else row_answer(prompts, row)
