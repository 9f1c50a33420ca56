"""A run: stage after stage over all shards, then the final files. Killed and started again, it goes on."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from timeground.cli.recipes import dump
from timeground.files.folder_lock import only_run
from timeground.files.whole_files import write_text

from .engine_local import Counts
from .inputs import read_items
from .item import Item
from .outcome import write_outcome
from .progress import Display, display
from .recipe import Recipe
from .shards import Plan, make_plan, read_shard, write_shard
from .stages.base import GlobalStage
from .tools import RunStopped
from .toys import toy_warnings
from .work import Task, make_tools


class Engine(Protocol):
    """Does tasks somewhere."""

    def run(self, tasks: Sequence[Task], asks_models: bool, begins: Callable[[str], None]) -> Iterator[Counts]:
        """Do all tasks; gives the counts of each."""
        ...

    def close(self) -> None:
        """Let go of workers."""
        ...


def run_recipe(recipe: Recipe, engine: Engine, *, retry_failed: bool = False, shown: bool = True) -> dict[str, Any]:
    """Run a recipe into its output folder and return the summary.

    retry_failed: shards with videos that failed are done again (after a dead endpoint, a missing disk). Raises
    UserError for what is wrong with the input, RunStopped when too many videos fail.
    """
    with only_run(Path(recipe.output)):
        return _run_alone(recipe, engine, retry_failed, shown)


def _run_alone(recipe: Recipe, engine: Engine, retry_failed: bool, shown: bool) -> dict[str, Any]:
    """The run, in a folder that nobody else works in."""
    items = read_items(recipe.input)
    warnings = toy_warnings(recipe, items)
    for line in warnings:
        print(f"timeground: {line}", file=sys.stderr)
    plan = make_plan(recipe, items)
    del items
    output = Path(recipe.output)
    write_text(output / "recipe.yaml", dump(recipe))
    if retry_failed:
        _forget_failures(recipe, plan)
    began = time.perf_counter()
    took = {}
    with display(shown) as bars:
        for place, stage in enumerate(recipe.stages, start=1):
            since = time.perf_counter()
            if isinstance(stage, GlobalStage):
                _run_global(recipe, plan, place, stage, bars)
            else:
                _run_videos(recipe, plan, place, engine, bars)
            took[plan.folders[place].name] = round(time.perf_counter() - since, 3)
    write_text(output / "timings.yaml", _timings(took, time.perf_counter() - began))
    return write_outcome(recipe, plan, warnings)


def _run_videos(recipe: Recipe, plan: Plan, place: int, engine: Engine, bars: Display) -> None:
    """A stage that looks at one video at a time."""
    stage, missing = recipe.stages[place - 1], plan.missing(place)
    done = [plan.counts(place, shard) for shard in range(plan.num_shards) if shard not in set(missing)]
    failed = sum(counts["failed"] for counts in done)
    videos = sum(counts["videos"] for counts in done)
    before = sum(plan.counts(place - 1, shard)["rejected"] for shard in range(plan.num_shards))
    bars.stage(stage.stage, plan.num_videos, videos, before)
    tasks = [Task(place, shard, plan.file(place - 1, shard), plan.file(place, shard)) for shard in missing]
    _stop_if_too_many(recipe, plan, stage.stage, failed)
    for counts in engine.run(tasks, bool(stage.models()), lambda video: None):
        failed += counts["failed"]
        bars.advance(counts["videos"], counts["dropped"])
        _stop_if_too_many(recipe, plan, stage.stage, failed)


def _stop_if_too_many(recipe: Recipe, plan: Plan, stage: str, failed: int) -> None:
    """Failures of earlier stages are counted along."""
    if failed <= recipe.max_failed_share * plan.num_videos:
        return
    raise RunStopped(
        f"stopped at {stage}: {failed} of {plan.num_videos} videos have failed, more than max_failed_share = "
        f"{recipe.max_failed_share:g}; first: {_first_failure(plan)}; mend it and start again with --retry-failed, or "
        "raise max_failed_share"
    )


def _first_failure(plan: Plan) -> str:
    """Why the first video failed."""
    for place in range(1, len(plan.folders)):
        for shard in range(plan.num_shards):
            file = plan.file(place, shard)
            for item in read_shard(file) if file.is_file() else ():
                if item.failure:
                    return f"{item.video}: {item.failure['reason']}"
    return "unknown"


def _run_global(recipe: Recipe, plan: Plan, place: int, stage: GlobalStage, bars: Display) -> None:
    """A stage that must see everything: its verdict first, then every shard with that applied."""
    missing = plan.missing(place)
    before = sum(plan.counts(place - 1, shard)["rejected"] for shard in range(plan.num_shards))
    bars.stage(stage.stage, plan.num_videos, 0, before)
    if not missing and not stage.writes_files:
        bars.advance(plan.num_videos, 0)
        return
    verdict = stage.decide(plan.items(place - 1), make_tools(recipe))
    for shard in range(plan.num_shards):
        items = [_judged(item, verdict, stage.stage) for item in read_shard(plan.file(place - 1, shard))]
        counts = write_shard(plan.file(place, shard), items)
        bars.advance(counts["videos"], counts["rejected"] - plan.counts(place - 1, shard)["rejected"])


def _judged(item: Item, verdict: dict[str, tuple[str, str]], stage: str) -> Item:
    """The item without what the verdict names."""
    if item.video in verdict and not item.is_out:
        item.drop_all(stage, *verdict[item.video])
    for row in list(item.rows):
        if row.id in verdict:
            item.drop(row, stage, *verdict[row.id])
    return item


def _forget_failures(recipe: Recipe, plan: Plan) -> None:
    """Remove shards with failed videos and what came after them; of a stage that sees everything, every shard."""
    sees_all = [place for place, stage in enumerate(recipe.stages, start=1) if isinstance(stage, GlobalStage)]
    for shard in range(plan.num_shards):
        places = [p for p in range(1, len(plan.folders)) if plan.file(p, shard).is_file()]
        first = next((p for p in places if plan.counts(p, shard)["failed"]), None)
        if first is None:
            continue
        until = min((place for place in sees_all if place >= first), default=len(plan.folders))
        for place in range(first, len(plan.folders)):
            for other in [shard] if place < until else range(plan.num_shards):
                plan.file(place, other).unlink(missing_ok=True)


def _timings(took: dict[str, float], total_s: float) -> str:
    lines = [f"{name}_s: {seconds}" for name, seconds in took.items()]
    return "\n".join([*lines, f"total_s: {total_s:.3f}"]) + "\n"
