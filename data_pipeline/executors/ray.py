"""The executor for many machines: Ray Data maps each stage over the shards, with actors that keep models loaded.

All machines must see the same paths (videos, models, output). Stages that ask models get actors of their own, each with
a GPU where the cluster has some; the files are the same as those of the local executor.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, cast

from timeground.errors import UserError

from ..item import RunStopped
from ..recipe import Recipe
from ..shards import Counts
from ..work import Task, do_task, make_tools


class ShardActor:
    """A Ray actor: does tasks one after the other, and keeps its models open."""

    def __init__(self, recipe: str, folder: str) -> None:
        import torch

        with suppress(OSError):
            os.chdir(folder)  # stages of one's own are named from where the command was typed
        torch.set_num_threads(1)
        self.recipe = Recipe.model_validate_json(recipe)
        self.tools = make_tools(self.recipe, "cuda" if torch.cuda.is_available() else None)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Do one task and return its counts; a reason to stop the run travels as text."""
        try:
            return {**do_task(self.recipe, row["task"], self.tools), "stopped": ""}
        except RunStopped as error:
            return {**dict.fromkeys(Counts.__annotations__, 0), "stopped": str(error)}


class RayExecutor:
    """Runs tasks on a Ray cluster: the one at `address`, or one that is started on this machine."""

    def __init__(self, recipe: Recipe, num_workers: int, num_model_workers: int, address: str | None = None) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        try:
            import ray
        except ImportError:
            raise UserError('--executor ray needs Ray: pip install "timeground[data]"') from None
        self.recipe, self.sizes = recipe, {False: num_workers, True: num_model_workers}
        where = {"address": address} if address else {"num_cpus": max(self.sizes.values()) + 1}
        try:
            ray.init(**where, include_dashboard=False if not address else None, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise UserError(f"--executor ray: no cluster at {address or 'this machine'}: {error}") from None
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)

    def run(self, tasks: Sequence[Task], asks_models: bool) -> Iterator[Counts]:
        """Do all tasks and yield the counts of each as it ends. Raise RunStopped if the run must end."""
        import ray

        if not tasks:
            return
        size = min(self.sizes[asks_models], len(tasks))
        has_gpus = asks_models and ray.cluster_resources().get("GPU", 0) >= 1
        resources: dict[str, Any] = {"num_gpus": 1} if has_gpus else {"num_cpus": 1}
        rows = ray.data.from_items([{"task": task} for task in tasks], override_num_blocks=len(tasks))
        recipe = self.recipe.model_dump_json()
        done = rows.map(ShardActor, fn_constructor_args=(recipe, os.getcwd()), concurrency=size, **resources)
        for row in done.iter_rows():
            if row["stopped"]:
                raise RunStopped(row["stopped"])
            yield cast(Counts, {name: int(row[name]) for name in Counts.__annotations__})

    def close(self) -> None:
        """Leave the cluster, or end the one that was started."""
        import ray

        ray.shutdown()
