"""Where finished work lies: a folder for each stage, named by everything that shaped it, a file for each shard.

A shard's file appears whole or not at all: if it is there, it is done. Its first line counts what is in it; then comes
one line for each video.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

from timeground.files.content_keys import (
    CODE_VERSION,
    model_contents,
    path_contents,
    profile_contents,
    video_contents_or_missing,
)
from timeground.files.json_text import dump_json
from timeground.files.whole_files import write_text
from timeground.models.opening import processor_release

from .asking import ModelSettings
from .item import Item
from .recipe import Recipe
from .stage import Stage, source_of
from .tools import read_prompt


class Counts(TypedDict):
    """What a shard holds: its first line."""

    videos: int
    failed: int
    """Videos that a stage could not work on."""
    rows: int
    rejected: int
    """Rows that this stage and all before it have dropped."""
    dropped: NotRequired[int]
    """Rows that this stage has dropped; a task tells it, no file holds it."""


@dataclass(frozen=True)
class Plan:
    """The folders of a run."""

    folders: tuple[Path, ...]
    """Position 0 holds what came in, position i what the i-th stage (counted from 1) made of it."""
    num_shards: int
    num_videos: int

    def file(self, position: int, shard: int) -> Path:
        """Return the file of a shard."""
        return self.folders[position] / f"{shard:05d}.jsonl"

    def missing(self, position: int) -> list[int]:
        """Return the shards that are still to be done."""
        return [shard for shard in range(self.num_shards) if not self.file(position, shard).is_file()]

    def items(self, position: int) -> Iterator[Item]:
        """Yield every video, in order, a shard at a time."""
        for shard in range(self.num_shards):
            yield from read_shard(self.file(position, shard))

    def counts(self, position: int, shard: int) -> Counts:
        """Return how many videos, failures, rows and rejected rows a shard holds."""
        with self.file(position, shard).open(encoding="utf-8") as lines:
            counts: Counts = json.loads(lines.readline())
        return counts

    def total(self, position: int, name: Literal["rows", "rejected"]) -> int:
        """Return a count summed over all shards."""
        return sum(self.counts(position, shard)[name] for shard in range(self.num_shards))


def folder_name(stage: str) -> str:
    """Return a stage's name as a part of a folder's: one's own is a path."""
    return re.sub(r"[^\w-]+", "_", stage)


def make_plan(recipe: Recipe, items: Sequence[Item]) -> Plan:
    """Name the folder of each stage by a hash of all before it, and write what came in."""
    work = Path(recipe.output) / "work"
    shards = [items[i : i + recipe.shard_size] for i in range(0, len(items), recipe.shard_size)]
    folders, digest = [], _input_digest(recipe, items)
    folders.append(work / f"00-input-{digest[:10]}")
    for number, stage in enumerate(recipe.stages, start=1):
        files = [path_contents(file) for file in (*stage.files(), *source_of(stage))]
        digest = _hash([digest, stage.model_dump(mode="json"), _models(recipe, stage), _prompts(recipe, stage), files])
        folders.append(work / f"{number:02d}-{folder_name(stage.stage)}-{digest[:10]}")
    plan = Plan(tuple(folders), len(shards), len(items))
    for shard in plan.missing(0):
        write_shard(plan.file(0, shard), shards[shard])
    names = {"folders": [folder.name for folder in folders], "num_shards": len(shards), "num_videos": len(items)}
    write_text(work / "plan.json", json.dumps(names, indent=2) + "\n")
    return plan


def read_plan(output: Path) -> Plan:
    """Return the plan of the last run in a folder. Raise OSError or ValueError if there is none."""
    names = json.loads((output / "work" / "plan.json").read_text(encoding="utf-8"))
    folders = tuple(output / "work" / Path(name).name for name in names["folders"])
    return Plan(folders, int(names["num_shards"]), int(names["num_videos"]))


def write_shard(path: Path, items: Sequence[Item]) -> Counts:
    """Write a shard at once and return its counts."""
    counts = Counts(
        videos=len(items),
        failed=sum(item.failure is not None for item in items),
        rows=sum(len(item.rows) for item in items),
        rejected=sum(len(item.rejected) for item in items),
    )
    lines = [json.dumps(counts), *(dump_json(item.to_json()) for item in items)]
    write_text(path, "\n".join(lines) + "\n")
    return counts


def read_shard(path: Path) -> list[Item]:
    """Return the videos of a shard."""
    with path.open(encoding="utf-8") as lines:
        next(lines)
        return [Item.from_json(json.loads(line)) for line in lines]


def _hash(data: Any) -> str:
    """Return the SHA-256 of plain data."""
    return hashlib.sha256(dump_json(data, sort_keys=True).encode()).hexdigest()


def _input_digest(recipe: Recipe, items: Sequence[Item]) -> str:
    """Return a hash of the input: rows, videos by content, seed, shards, our code."""
    digest = hashlib.sha256(json.dumps([CODE_VERSION, recipe.seed, recipe.shard_size]).encode())
    for item in items:
        video = video_contents_or_missing(Path(recipe.input.videos) / item.video)
        digest.update(_hash([item.to_json(), video]).encode())
    return digest.hexdigest()


def _models(recipe: Recipe, stage: Stage) -> list[Any]:
    """Return the settings of the models that a stage asks, with the identity of their files."""
    asked = [recipe.models[name] for name in sorted(set(stage.models()))]
    return [[settings.model_dump(mode="json"), model_contents(settings.name), *_also(settings)] for settings in asked]


def _also(settings: ModelSettings) -> list[str]:
    """Return what else decides a model's answers: its profile's file, and who writes its input."""
    return [found for found in (profile_contents(settings.profile), processor_release(settings.name)) if found]


def _prompts(recipe: Recipe, stage: Stage) -> list[str]:
    """Return the versions of the prompts that a stage reads."""
    folder = Path(recipe.prompts) if recipe.prompts else None
    return [read_prompt(name, folder).version for name in stage.prompt_names()]
