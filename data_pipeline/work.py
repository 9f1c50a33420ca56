"""What a worker does: one stage on one shard. Whatever goes wrong with a video is that video's failure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from timeground.errors import OutputError, UserError
from timeground.media.containers.frame_folder import DEFAULT_FOLDER_FPS

from .item import Item, RunStopped
from .recipe import Recipe
from .shards import Counts, read_shard, write_shard
from .stage import VideoStage
from .tools import Tools


@dataclass(frozen=True)
class Task:
    """One stage on one shard."""

    position: int
    """Which stage of the recipe, counted from 1."""
    shard: int
    source: Path
    target: Path
    crashed: tuple[tuple[str, str], ...] = ()
    """Videos whose reader ended the worker before, each with how it ended; they fail without being tried."""


class Executor(Protocol):
    """Does tasks somewhere."""

    def run(self, tasks: Sequence[Task], asks_models: bool) -> Iterator[Counts]:
        """Do all tasks and yield the counts of each."""
        ...

    def close(self) -> None:
        """Let go of workers."""
        ...


def make_tools(recipe: Recipe, device: str | None = None) -> Tools:
    """Return a worker's tools. device: where local models run, None for the default."""
    return Tools(
        root=Path(recipe.input.videos),
        output=Path(recipe.output),
        models=recipe.models,
        seed=recipe.seed,
        prompt_folder=Path(recipe.prompts) if recipe.prompts else None,
        device=device,
        allow_toy_model=recipe.allow_toy_model,
        follow_links=recipe.input.follow_links,
    )


def do_task(recipe: Recipe, task: Task, tools: Tools, begins: Callable[[str], None] = lambda video: None) -> Counts:
    """Read a shard, put every video through the stage, write the result, and return the counts.

    begins: called with each video before work on it starts. Raise RunStopped where every video would fail alike.
    """
    stage = recipe.stages[task.position - 1]
    assert isinstance(stage, VideoStage)
    items = read_shard(task.source)
    before = sum(len(item.rejected) for item in items)
    crashed = dict(task.crashed)
    for item in items:
        if item.is_out:
            continue
        begins(item.video)
        if item.video in crashed:
            item.fail(stage.stage, crashed[item.video])
        else:
            _run(stage, item, tools)
    try:
        counts = write_shard(task.target, items)
    except OutputError as error:
        raise RunStopped(str(error)) from error
    counts["dropped"] = counts["rejected"] - before
    return counts


def _run(stage: VideoStage, item: Item, tools: Tools) -> None:
    """Put one video through the stage, and note what it cost in tokens."""
    names = stage.models()
    before = _tokens(tools, names)
    tools.folder_fps = next((row.folder_fps for row in item.rows if row.folder_fps), DEFAULT_FOLDER_FPS)
    try:
        tools.path(item.video)  # a link out of the root fails its video, whatever the stage
        stage.run(item, tools)
    except RunStopped:
        raise
    except OutputError as error:  # every video would meet it
        raise RunStopped(str(error)) from error
    except UserError as error:
        item.fail(stage.stage, str(error))
    except Exception as error:  # a bug, or a file that breaks a library: the others go on
        item.fail(stage.stage, f"failed unexpectedly ({type(error).__name__}: {error})")
    if names:
        item.facts["tokens"] = item.facts.get("tokens", 0) + _tokens(tools, names) - before


def _tokens(tools: Tools, names: Collection[str]) -> int:
    """Return the tokens that models have written in this worker; one that is not open yet has written none."""
    return sum(tools.tokens(name) for name in set(names))
