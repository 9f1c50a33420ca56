"""A run: stage after stage over all shards, then the final files. Killed and started again, it goes on."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from timeground.cli.recipes import dump
from timeground.files.folder_lock import only_run
from timeground.files.whole_files import write_text
from timeground.progress import Bar, Bars

from .inputs import read_items
from .item import Item, RunStopped
from .outcome import write_outcome
from .recipe import Recipe
from .shards import Plan, make_plan, read_shard, write_shard
from .stage import GlobalStage, OutputStage
from .warnings import toy_warnings, unfitted_warnings
from .work import Executor, Task, make_tools


def run_recipe(recipe: Recipe, executor: Executor, *, retry_failed: bool = False, shown: bool = True) -> dict[str, Any]:
    """Run a recipe into its output folder and return the summary.

    retry_failed: shards with videos that failed are done again (after a dead endpoint, a missing disk). shown: bars on
    standard error. Raise UserError for what is wrong with the input, RunStopped when too many videos fail.
    """
    with only_run(Path(recipe.output)):
        items = read_items(recipe.input)
        warnings = [*toy_warnings(recipe, items), *unfitted_warnings(recipe)]
        for line in warnings:
            print(f"timeground: {line}", file=sys.stderr)
        plan = make_plan(recipe, items)
        del items
        write_text(Path(recipe.output) / "recipe.yaml", dump(recipe))
        if retry_failed:
            _forget_failures(recipe, plan)
        with display(shown) as bars:
            Run(recipe, plan, executor, bars).all_stages()
        return write_outcome(recipe, plan, warnings)


class Run:
    """The stages of one run. A position counts them from 1; position 0 is what came in."""

    def __init__(self, recipe: Recipe, plan: Plan, executor: Executor, bars: Display) -> None:
        self.recipe, self.plan, self.executor, self.bars = recipe, plan, executor, bars

    def all_stages(self) -> None:
        """Run stage after stage, and note how long each took in ``timings.yaml``."""
        began, lines = time.perf_counter(), []
        for position, stage in enumerate(self.recipe.stages, start=1):
            since = time.perf_counter()
            if isinstance(stage, GlobalStage):
                self._global(position, stage)
            elif isinstance(stage, OutputStage):
                self._output(position, stage)
            else:
                self._videos(position)
            lines.append(f"{self.plan.folders[position].name}_s: {round(time.perf_counter() - since, 3)}")
        lines.append(f"total_s: {time.perf_counter() - began:.3f}")
        write_text(Path(self.recipe.output) / "timings.yaml", "\n".join(lines) + "\n")

    def _videos(self, position: int) -> None:
        """Run a stage that looks at one video at a time."""
        plan, stage, missing = self.plan, self.recipe.stages[position - 1], self.plan.missing(position)
        done = [plan.counts(position, shard) for shard in range(plan.num_shards) if shard not in set(missing)]
        num_failed = sum(counts["failed"] for counts in done)
        num_done = sum(counts["videos"] for counts in done)
        self.bars.stage(stage.stage, plan.num_videos, num_done, plan.total(position - 1, "rejected"))
        tasks = [Task(position, shard, plan.file(position - 1, shard), plan.file(position, shard)) for shard in missing]
        self._stop_if_too_many(stage.stage, num_failed)
        for counts in self.executor.run(tasks, bool(stage.models())):
            num_failed += counts["failed"]
            self.bars.advance(counts["videos"], counts["dropped"])
            self._stop_if_too_many(stage.stage, num_failed)

    def _stop_if_too_many(self, stage: str, num_failed: int) -> None:
        """Raise RunStopped when too many videos have failed, in this stage and all before it."""
        recipe, num_videos = self.recipe, self.plan.num_videos
        if num_failed <= recipe.max_failed_share * num_videos:
            return
        raise RunStopped(
            f"stopped at {stage}: {num_failed} of {num_videos} videos have failed, more than max_failed_share = "
            f"{recipe.max_failed_share:g}; first: {self._first_failure()}; repair it and start again with "
            "--retry-failed, or raise max_failed_share"
        )

    def _first_failure(self) -> str:
        """Return why the first video failed."""
        for position in range(1, len(self.plan.folders)):
            for shard in range(self.plan.num_shards):
                file = self.plan.file(position, shard)
                for item in read_shard(file) if file.is_file() else ():
                    if item.failure:
                        return f"{item.video}: {item.failure['reason']}"
        return "unknown"

    def _global(self, position: int, stage: GlobalStage) -> None:
        """Run a stage that must see everything: first what it drops, then every shard without that."""
        if not self._begin(position, stage.stage):
            return
        dropped = stage.decide(self.plan.items(position - 1), make_tools(self.recipe))
        for shard in range(self.plan.num_shards):
            items = [_without(item, dropped, stage.stage) for item in self._before(position, shard)]
            counts = write_shard(self.plan.file(position, shard), items)
            self.bars.advance(counts["videos"], counts["rejected"] - self.plan.counts(position - 1, shard)["rejected"])

    def _output(self, position: int, stage: OutputStage) -> None:
        """Run a stage that writes files, and pass the shards on as they are."""
        self._begin(position, stage.stage)
        stage.write(self.plan.items(position - 1), make_tools(self.recipe))
        for shard in self.plan.missing(position):
            self.bars.advance(write_shard(self.plan.file(position, shard), self._before(position, shard))["videos"], 0)

    def _begin(self, position: int, stage: str) -> bool:
        """Show a stage that does all shards at once, and return whether any is missing."""
        missing = self.plan.missing(position)
        num_done = 0 if missing else self.plan.num_videos
        self.bars.stage(stage, self.plan.num_videos, num_done, self.plan.total(position - 1, "rejected"))
        return bool(missing)

    def _before(self, position: int, shard: int) -> list[Item]:
        """Return a shard as the stage before left it."""
        return read_shard(self.plan.file(position - 1, shard))


def _without(item: Item, dropped: dict[str, tuple[str, str]], stage: str) -> Item:
    """Return the item without what a stage drops, by video or by row id."""
    if item.video in dropped and not item.is_out:
        item.drop_all(stage, *dropped[item.video])
    for row in list(item.rows):
        if row.id in dropped:
            item.drop(row, stage, *dropped[row.id])
    return item


def _forget_failures(recipe: Recipe, plan: Plan) -> None:
    """Remove shards with failed videos and what came after them; of a stage that sees everything, every shard."""
    sees_all = [position for position, stage in enumerate(recipe.stages, start=1) if isinstance(stage, GlobalStage)]
    for shard in range(plan.num_shards):
        there = [p for p in range(1, len(plan.folders)) if plan.file(p, shard).is_file()]
        first = next((p for p in there if plan.counts(p, shard)["failed"]), None)
        if first is None:
            continue
        until = min((position for position in sees_all if position >= first), default=len(plan.folders))
        for position in range(first, len(plan.folders)):
            for other in [shard] if position < until else range(plan.num_shards):
                plan.file(position, other).unlink(missing_ok=True)


class Display:
    """One bar for each stage: videos, rate, rows dropped, time left."""

    def __init__(self, bars: Bars) -> None:
        self.bars = bars
        self.current: Bar | None = None
        self.num_rejected = 0

    def stage(self, name: str, total: int, done: int, rejected: int) -> None:
        """Begin a new stage; `done` videos of it were done before."""
        self.num_rejected = rejected
        self.current = self.bars.add(name, total, "videos", done)

    def advance(self, videos: int, rejected: int) -> None:
        """Show that more videos are through, and that so many rows of theirs were dropped."""
        if self.current is not None:
            self.num_rejected += rejected
            self.bars.advance(self.current, videos, f"{self.num_rejected} rows dropped")


@contextmanager
def display(shown: bool = True) -> Iterator[Display]:
    """Show bars on standard error, for as long as the block lasts."""
    with Bars(shown) as bars:
        yield Display(bars)
