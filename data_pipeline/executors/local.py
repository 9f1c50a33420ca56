"""The executor for one machine: worker processes that are watched, recycled, and replaced when they die.

Workers are forked off a process that has imported what they need, so that a new one starts at once. That process runs
no Python threads and touches no GPU, which makes forking it safe. This file itself imports nothing heavy.
"""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing import connection
from multiprocessing.context import BaseContext
from typing import TYPE_CHECKING, Any

from timeground.worker import Worker, begin_work

from ..item import RunStopped

if TYPE_CHECKING:
    from ..recipe import Recipe
    from ..shards import Counts
    from ..work import Task

CRASHES_ALLOWED = 2
"""A worker that dies may have been killed from outside; a video that was being read at so many deaths is to blame."""


def context() -> BaseContext:
    """Return what makes workers: a fork server with `preload` imported, or `spawn` where there is none."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["timeground.data_pipeline.executors.preload"])
    return server


def import_ahead() -> None:
    """Start the fork server, so that it imports while the caller reads its recipe and its rows."""
    if context().get_start_method() == "forkserver":
        from multiprocessing import forkserver  # Windows has none

        forkserver.ensure_running()


class StageWorker(Worker):
    """A process that does tasks one after the other, until its pipe closes."""

    def __init__(self, recipe: Recipe, device: str | None) -> None:
        super().__init__(context(), _serve, recipe, device)
        self.device, self.video, self.num_videos = device, "", 0
        self.task: Task | None = None
        self.since_s = time.monotonic()

    def give(self, task: Task) -> None:
        """Hand a task over."""
        self.task, self.video, self.since_s = task, "", time.monotonic()
        self.pipe.send(task)

    def begin(self, video: str) -> None:
        """Note that the worker begins with a video; its time limit runs from here."""
        self.video, self.since_s = video, time.monotonic()
        self.num_videos += 1


class LocalExecutor:
    """Runs tasks in processes of this machine."""

    def __init__(self, recipe: Recipe, num_workers: int, num_model_workers: int, recycle_after: int = 500) -> None:
        self.recipe = recipe
        self.recycle_after = recycle_after
        """Videos (those of each stage counted) after which a worker is replaced, since readers of videos leak memory.
        A new worker opens its models anew."""
        self.sizes = {False: num_workers, True: num_model_workers}
        """Number of processes, by whether the stage asks models."""
        self.workers: list[StageWorker] = []
        self.crashes: Counter[str] = Counter()

    def run(self, tasks: Sequence[Task], asks_models: bool) -> Iterator[Counts]:
        """Do all tasks and yield the counts of each as it ends, in no fixed order.

        Raise RunStopped if the run must end.
        """
        todo = list(reversed(tasks))
        size = min(self.sizes[asks_models], len(todo))
        while len(self.workers) > size:
            self.workers.pop().stop()
        while todo or any(worker.task for worker in self.workers):
            self._fill(todo, size)
            busy: dict[Any, StageWorker] = {worker.pipe: worker for worker in self.workers if worker.task}
            for pipe in connection.wait(list(busy), timeout=1.0):
                worker = busy[pipe]
                try:
                    kind, message = worker.pipe.recv()
                except (EOFError, OSError):
                    todo.append(self._bury(worker, "its reader crashed"))
                    continue
                if kind == "begins":
                    worker.begin(message)
                elif kind == "stopped":
                    raise RunStopped(message)
                else:
                    self._release(worker)
                    yield message
            todo += self._too_slow()

    def close(self) -> None:
        """End all workers."""
        for worker in self.workers:
            worker.stop()
        self.workers.clear()

    def _fill(self, todo: list[Task], size: int) -> None:
        """Give a task to every idle worker, and start workers where some are missing."""
        while len(self.workers) < size and sum(w.task is None for w in self.workers) < len(todo):
            used = {worker.device for worker in self.workers}
            free = [device for device in _devices(size) if device not in used]
            self.workers.append(StageWorker(self.recipe, free[0] if free else None))
        for worker in [w for w in self.workers if w.task is None][: len(todo)]:
            try:
                worker.give(todo.pop())
            except OSError:  # it was killed while it had nothing to do
                todo.append(self._bury(worker, "its reader crashed"))

    def _release(self, worker: StageWorker) -> None:
        """Mark a worker as idle, or end it where it has read enough videos."""
        worker.task = None
        if worker.num_videos >= self.recycle_after:
            self.workers.remove(worker)
            worker.stop()

    def _bury(self, worker: StageWorker, how: str) -> Task:
        """End a worker that died or hangs, and return its task, without the video that is to blame."""
        task, video = worker.task, worker.video
        assert task is not None
        self.workers.remove(worker)
        cause = worker.stop()  # nothing is lost: finished work is in files, written whole
        self.crashes[video] += 1
        if self.crashes[video] < CRASHES_ALLOWED:
            return task
        if not video:
            raise RunStopped(f"workers die before they begin ({cause}); is there enough memory?")
        return replace(task, crashed=(*task.crashed, (video, f"{how} ({cause}), {CRASHES_ALLOWED} times")))

    def _too_slow(self) -> list[Task]:
        """Return the tasks of workers that have been at one video for too long; these workers are ended."""
        limit = self.recipe.timeout_s
        late = [w for w in self.workers if w.task and w.video and time.monotonic() - w.since_s > limit]
        return [self._bury(worker, f"took longer than timeout_s = {limit:g}") for worker in late]


def _devices(count: int) -> list[str | None]:
    """Return a GPU for each worker, in turn, or None for each where there are none."""
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return [f"cuda:{i % gpus}" if gpus else None for i in range(count)]


def _serve(pipe: Any, recipe: Recipe, device: str | None, parent: int) -> None:
    """Do what comes through the pipe, until it is closed or the parent ends."""
    from ..work import do_task, make_tools

    begin_work(parent)
    tools = make_tools(recipe, device)
    try:
        while True:
            task = pipe.recv()
            try:
                pipe.send(("done", do_task(recipe, task, tools, lambda video: pipe.send(("begins", video)))))
            except RunStopped as error:
                pipe.send(("stopped", str(error)))
    except (EOFError, OSError):
        return
