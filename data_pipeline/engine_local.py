"""The engine for one machine: worker processes that are watched, recycled, and replaced when they die."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from multiprocessing import connection
from typing import Any

from timeground.watchdog import end_with

from .forking import context
from .recipe import Recipe
from .tools import RunStopped
from .work import Task, do_task, make_tools

CRASHES_ALLOWED = 2
"""A worker that dies may have been killed from outside; a video that was being read at so many deaths is to blame."""
Counts = dict[str, int]


class Worker:
    """A process that does tasks one after the other, until its pipe closes."""

    def __init__(self, recipe: Recipe, device: str | None) -> None:
        starting: Any = context()
        self.pipe, theirs = starting.Pipe()
        self.process = starting.Process(target=_serve, args=(theirs, recipe, device, os.getpid()), daemon=True)
        self.process.start()
        theirs.close()
        self.device, self.video, self.num_videos = device, "", 0
        self.task: Task | None = None
        self.since_s = time.monotonic()

    def give(self, task: Task) -> None:
        """Hand a task over."""
        self.task, self.video, self.since_s = task, "", time.monotonic()
        self.pipe.send(task)

    def stop(self) -> int | None:
        """End the process; how it ended. Nothing is lost: what it has done is in files, written whole."""
        self.pipe.close()
        self.process.kill()
        self.process.join(30)
        code: int | None = self.process.exitcode
        return code


class LocalEngine:
    """Runs tasks in `num_workers` processes (`num_model_workers` for stages that ask models).

    recycle_after: a worker is replaced after so many videos (those of each stage counted), since readers of videos leak
    memory. A new worker opens models anew.
    """

    def __init__(self, recipe: Recipe, num_workers: int, num_model_workers: int, recycle_after: int = 500) -> None:
        self.recipe, self.recycle_after = recipe, recycle_after
        self.sizes = {False: num_workers, True: num_model_workers}
        self.workers: list[Worker] = []
        self.crashes: Counter[str] = Counter()

    def run(self, tasks: Sequence[Task], asks_models: bool, begins: Callable[[str], None]) -> Iterator[Counts]:
        """Do all tasks; gives the counts of each as it ends, in no fixed order. Raises RunStopped."""
        todo = list(reversed(tasks))
        wanted = min(self.sizes[asks_models], len(todo))
        while len(self.workers) > wanted:
            self.workers.pop().stop()
        while todo or any(worker.task for worker in self.workers):
            self._fill(todo, wanted)
            busy = {worker.pipe: worker for worker in self.workers if worker.task}
            for pipe in connection.wait(list(busy), timeout=1.0):
                worker = busy[pipe]
                try:
                    kind, said = worker.pipe.recv()
                except (EOFError, OSError):
                    todo.append(self._bury(worker, "its reader crashed"))
                    continue
                if kind == "begins":
                    worker.video, worker.since_s = said, time.monotonic()
                    worker.num_videos += 1
                    begins(said)
                elif kind == "stopped":
                    raise RunStopped(said)
                else:
                    yield self._ended(worker, said)
            todo += self._too_slow()

    def close(self) -> None:
        """End all workers."""
        for worker in self.workers:
            worker.stop()
        self.workers.clear()

    def _fill(self, todo: list[Task], wanted: int) -> None:
        """A task for every idle worker; new workers where some are missing."""
        while len(self.workers) < wanted and sum(w.task is None for w in self.workers) < len(todo):
            used = {worker.device for worker in self.workers}
            free = [device for device in _devices(wanted) if device not in used]
            self.workers.append(Worker(self.recipe, free[0] if free else None))
        for worker in [w for w in self.workers if w.task is None][: len(todo)]:
            try:
                worker.give(todo.pop())
            except OSError:  # it was killed while it had nothing to do
                todo.append(self._bury(worker, "its reader crashed"))

    def _ended(self, worker: Worker, counts: Counts) -> Counts:
        worker.task = None
        if worker.num_videos >= self.recycle_after:
            self.workers.remove(worker)
            worker.stop()
        return counts

    def _bury(self, worker: Worker, how: str) -> Task:
        """End a worker that died or hangs; its task comes back, without the video that is to blame."""
        task, video = worker.task, worker.video
        assert task is not None
        self.workers.remove(worker)
        code = worker.stop()
        self.crashes[video] += 1
        if self.crashes[video] < CRASHES_ALLOWED:
            return task
        if not video:
            raise RunStopped(f"workers die before they begin ({_cause(code)}); is there enough memory?")
        return replace(task, crashed=(*task.crashed, (video, f"{how} ({_cause(code)}), {CRASHES_ALLOWED} times")))

    def _too_slow(self) -> list[Task]:
        """Tasks of workers that have been at one video for too long."""
        limit = self.recipe.timeout_s
        late = [w for w in self.workers if w.task and w.video and time.monotonic() - w.since_s > limit]
        return [self._bury(worker, f"took longer than timeout_s = {limit:g}") for worker in late]


def _devices(count: int) -> list[str | None]:
    """A GPU for each worker, in turn, where there are some."""
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return [f"cuda:{i % gpus}" if gpus else None for i in range(count)]


def _cause(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit status {code}"


def _serve(pipe: Any, recipe: Recipe, device: str | None, parent: int) -> None:
    """A worker's life, which ends with its parent's."""
    import torch

    end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends the workers
    torch.set_num_threads(1)
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
