"""Writes the rows that are left as files for others, into ``OUTPUT/exports``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from timeground.chat.prompts import PromptSet, get_prompts, row_answer, row_prompt
from timeground.data.clip_shards import write_index
from timeground.data.rows import Row, write_rows
from timeground.errors import UserError
from timeground.files.json_text import dump_json
from timeground.files.whole_files import make_folder, write_text, writing

from ..item import Item
from ..stage import OutputStage, to_pairs
from ..tools import Tools
from .samples import FOLDER as SAMPLES

Format = Literal["rows", "parquet", "timelens", "ms-swift", "llama-factory", "trl", "datasets", "samples"]


class Export(OutputStage):
    """Writes each format anew in every run."""

    stage: Literal["export"] = "export"
    formats: list[Format] = Field(["rows", "timelens"], min_length=1)
    """``datasets``: a folder for `datasets.load_from_disk`. ``samples``: the index of what the stage `samples` made, in
    ``OUTPUT/samples``, which `timeground train` reads (`data.samples`)."""
    prompt: str = "timelens"
    """The prompt set that chat formats ask with."""

    def needed(self) -> tuple[str, ...]:
        """Return the samples, if their index is to be written."""
        return ("facts.samples",) if "samples" in self.formats else ()

    def write(self, items: Iterable[Item], tools: Tools) -> None:
        """Write every format."""
        folder = tools.output / "exports"
        make_folder(folder)
        videos = list(items)
        rows = [row for item in videos for row in item.rows]
        for name in self.formats:
            if name in CHATS:
                prompts = get_prompts(self.prompt)
                lines = (CHATS[name](row, prompts, tools.path(row.video)) for row in rows)
                write_lines(folder / f"{name}.jsonl", lines)
            elif name == "datasets":
                _write_dataset(folder, rows)
            elif name == "samples":
                write_index(tools.output / SAMPLES, _samples(videos))
            elif name == "timelens":
                write_lines(folder / "timelens.jsonl", timelens(rows))
            else:
                write_rows(folder / ("rows.parquet" if name == "parquet" else "rows.jsonl"), rows)
        if "llama-factory" in self.formats:
            write_text(folder / "dataset_info.json", json.dumps(DATASET_INFO, indent=2) + "\n")


def write_lines(path: Path, objects: Iterable[dict[str, Any]]) -> None:
    """Write JSON lines; the file appears whole or not at all."""
    with writing(path) as part, part.open("w", encoding="utf-8") as lines:
        for obj in objects:
            lines.write(dump_json(obj) + "\n")


def _samples(items: list[Item]) -> Iterable[dict[str, Any]]:
    """Yield the samples of the videos, with the rows that are left."""
    for item in items:
        left = {row.id: row.to_json() for row in item.rows}
        for sample in item.facts.get("samples", []):
            kept = [{**one, "row": left[one["id"]]} for one in sample["questions"] if one["id"] in left]
            if kept:
                yield {"video": item.video, **sample, "questions": kept}


def _write_dataset(folder: Path, rows: list[Row]) -> None:
    """Write a `datasets` folder, by way of Parquet, so that its types are those of our Parquet file."""
    try:
        import datasets
    except ImportError:
        raise UserError('export datasets needs the library datasets: pip install "timeground[data]"') from None
    datasets.disable_progress_bars()
    with writing(folder / "datasets") as part, writing(folder / ".datasets-cache") as cache:
        write_rows(cache / "rows.parquet", rows)
        datasets.Dataset.from_parquet(str(cache / "rows.parquet"), cache_dir=str(cache)).save_to_disk(str(part))
    shutil.rmtree(folder / ".datasets-cache", ignore_errors=True)


def timelens(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return TimeLens-100K's lines, one a video.

    A line is ``{source, video_path, duration, events: [{query, span: [[start, end]]}]}``. Rows
    without a span and questions have no place there.
    """
    lines = []
    usable = (row for row in rows if row.task == "ground" and row.spans)
    for (video, duration), group in groupby(usable, key=lambda row: (row.video, row.duration)):
        together = list(group)
        events = [{"query": row.query, "span": to_pairs(row.spans)} for row in together]
        lines.append({"source": together[0].source, "video_path": video, "duration": duration, "events": events})
    return lines


def ms_swift(row: Row, prompts: PromptSet, path: Path) -> dict[str, Any]:
    """Return a line for ms-swift: ``messages`` with ``<video>`` where it goes, ``videos``, ``solution`` for GRPO."""
    messages = _messages("<video>" + row_prompt(prompts, row), row_answer(prompts, row))
    return {"messages": messages, "videos": [str(path)], "solution": _solution(row, prompts), "id": row.id}


def llama_factory(row: Row, prompts: PromptSet, path: Path) -> dict[str, Any]:
    """Return a line for LLaMA-Factory, `sharegpt` with OpenAI's role names; `DATASET_INFO` registers it."""
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
    """Return a line for TRL: conversational ``prompt`` and ``completion``; ``solution`` reaches rewards as a column."""
    question = [{"type": "video", "video": str(path)}, {"type": "text", "text": row_prompt(prompts, row)}]
    answer = [{"type": "text", "text": row_answer(prompts, row)}]
    return {
        "prompt": [{"role": "user", "content": question}],
        "completion": [{"role": "assistant", "content": answer}],
        "solution": _solution(row, prompts),
        "duration": row.duration,
    }


CHATS: dict[str, Callable[[Row, PromptSet, Path], dict[str, Any]]] = {
    "ms-swift": ms_swift,
    "llama-factory": llama_factory,
    "trl": trl,
}
"""Formats with a conversation a line."""


def _messages(question: str, answer: str) -> list[dict[str, str]]:
    """Return a conversation of one question."""
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def _solution(row: Row, prompts: PromptSet) -> Any:
    """Return what a reward compares with: spans for a grounding row, else the answer's text."""
    return to_pairs(row.spans) if row.task == "ground" else row_answer(prompts, row)
