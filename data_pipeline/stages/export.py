"""Writes the rows that are left as files for others, into ``OUTPUT/exports``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from timeground.chat.prompts import PromptSet, get_prompts
from timeground.data.clip_shards import write_index
from timeground.data.rows import Row, write_rows
from timeground.errors import UserError
from timeground.files.json_text import dump_json
from timeground.files.whole_files import make_folder, write_text, writing

from ..item import Item
from ..tools import Tools
from .base import GlobalStage
from .formats import DATASET_INFO, llama_factory, ms_swift, timelens, trl
from .samples import FOLDER as SAMPLES

Format = Literal["rows", "parquet", "timelens", "ms-swift", "llama-factory", "trl", "datasets", "samples"]
CHATS: dict[str, Callable[[Row, PromptSet, Path], dict[str, Any]]] = {
    "ms-swift": ms_swift,
    "llama-factory": llama_factory,
    "trl": trl,
}


class Export(GlobalStage):
    """Files are written anew in every run. prompt: the prompt set that chat formats ask with.

    ``datasets``: a folder for `datasets.load_from_disk`. ``samples``: the index of what the stage `samples` made, in
    ``OUTPUT/samples``, which `timeground train` reads (`data.samples`).
    """

    stage: Literal["export"] = "export"
    writes_files: ClassVar[bool] = True
    formats: list[Format] = Field(["rows", "timelens"], min_length=1)
    prompt: str = "timelens"

    def decide(self, items: Iterable[Item], tools: Tools) -> dict[str, tuple[str, str]]:
        """Write; nothing is dropped."""
        folder = tools.output / "exports"
        make_folder(folder)
        held = list(items)
        rows = [row for item in held for row in item.rows]
        for name in self.formats:
            if name in CHATS:
                prompts = get_prompts(self.prompt)
                write_lines(folder / f"{name}.jsonl", (CHATS[name](r, prompts, _path(tools, r)) for r in rows))
            elif name == "datasets":
                _write_dataset(folder, rows)
            elif name == "samples":
                write_index(tools.output / SAMPLES, _samples(held))
            elif name == "timelens":
                write_lines(folder / "timelens.jsonl", timelens(rows))
            else:
                write_rows(folder / ("rows.parquet" if name == "parquet" else "rows.jsonl"), rows)
        if "llama-factory" in self.formats:
            write_text(folder / "dataset_info.json", json.dumps(DATASET_INFO, indent=2) + "\n")
        return {}


def write_lines(path: Path, objects: Iterable[dict[str, Any]]) -> None:
    """Write JSON lines; the file appears whole or not at all."""
    with writing(path) as part, part.open("w", encoding="utf-8") as lines:
        for obj in objects:
            lines.write(dump_json(obj) + "\n")


def _path(tools: Tools, row: Row) -> Path:
    return tools.path(row.video)


def _samples(items: list[Item]) -> Iterable[dict[str, Any]]:
    """Lines of the stage `samples`, for the rows that are left."""
    if items and not any("samples" in item.facts for item in items):
        raise UserError("export samples needs stage samples before it")
    for item in items:
        left = {row.id: row.to_json() for row in item.rows}
        for sample in item.facts.get("samples", []):
            kept = [{**asked, "row": left[asked["id"]]} for asked in sample["questions"] if asked["id"] in left]
            if kept:
                yield {"video": item.video, **sample, "questions": kept}


def _write_dataset(folder: Path, rows: list[Row]) -> None:
    """A `datasets` folder, by way of Parquet, so that its types are those of our Parquet file."""
    try:
        import datasets
    except ImportError:
        raise UserError('export datasets needs the library datasets: pip install "timeground[data]"') from None
    datasets.disable_progress_bars()
    with writing(folder / "datasets") as part, writing(folder / ".datasets-cache") as cache:
        write_rows(cache / "rows.parquet", rows)
        datasets.Dataset.from_parquet(str(cache / "rows.parquet"), cache_dir=str(cache)).save_to_disk(str(part))
    shutil.rmtree(folder / ".datasets-cache", ignore_errors=True)
