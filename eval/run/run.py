"""``timeground eval``: loads tasks, asks the model, scores; resumable, and the same on one process or many."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from timeground.models.backend import Backend
from timeground.models.opening import open_backend
from timeground.stopwatch import Stopwatch
from timeground.video.clip import Clip

from ..tasks import Task, get_spec, load_task
from .answering import Asker
from .answers import Answer, AnswerFile
from .outcome import write_outcome
from .settings import RunSettings, fingerprint, keep_settings
from .videos import Group, clips, group_rows, missing_videos


def evaluate(settings: RunSettings, output: Path, *, device: str | None = None, num_workers: int = 1) -> None:
    """Run the tasks of `settings` and write everything into `output`."""
    tasks, missing = load_tasks(settings)
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if rank == 0:
        keep_settings(output, settings, {task.spec.name: fingerprint(task.rows) for task in tasks})
    clock, began = Stopwatch(), time.perf_counter()
    device = device or _own_device(world)
    backend = open_backend(settings.model, profile=settings.profile, overrides=settings.overrides, device=device)
    for task in tasks:
        _answer_task(task, backend, settings, output, clock, (rank, world), num_workers)
    _wait_for_all(output, rank, world)
    if rank == 0:
        timings = {**clock.seconds, "total": time.perf_counter() - began}
        write_outcome(output, tasks, backend, settings, missing, timings)


def load_tasks(settings: RunSettings) -> tuple[list[Task], dict[str, list[str]]]:
    """The tasks with their rows, and the videos of each that are not there (said on standard error)."""
    data = Path(settings.data) if settings.data else None
    include = Path(settings.include_path) if settings.include_path else None
    tasks, missing = [], {}
    for name in settings.tasks:
        task = load_task(get_spec(name, include), data=data)
        task = replace(task, rows=task.rows[: settings.limit])
        gone = missing_videos(group_rows(task.rows, task.video_root))
        missing[name] = gone
        if gone:
            what = "left out" if settings.skip_missing else "scored as failures"
            shown = ", ".join(gone[:3]) + (", ..." if len(gone) > 3 else "")
            print(f"{name}: {len(gone)} videos are not in {task.video_root} and are {what}: {shown}", file=sys.stderr)
        if settings.skip_missing:
            task = replace(task, rows=[row for row in task.rows if row.video not in set(gone)])
        tasks.append(task)
    return tasks, missing


def _answer_task(
    task: Task,
    backend: Backend,
    settings: RunSettings,
    output: Path,
    clock: Stopwatch,
    share: tuple[int, int],
    workers: int,
) -> None:
    """Ask this process's share of a task's videos, and keep what is said."""
    rank, world = share
    file = AnswerFile(output / task.spec.name, rank)
    done = file.read()
    every = group_rows(task.rows, task.video_root)
    groups = every[rank::world]
    todo = [group for group in groups if any((row.id, "clean") not in done for row in group.rows)]
    asker = Asker(backend, task, settings, clock)
    others = _others(todo, every, settings)
    with _progress(rank == 0) as progress:
        bar = progress.add_task(task.spec.name, total=len(groups), completed=len(groups) - len(todo))
        found = clips([g for pair in zip(todo, others, strict=True) for g in pair if g], backend.sampling(), workers)
        for group, other in zip(todo, others, strict=True):
            with clock.on("decode"):
                _, clip = next(found)
                stranger = next(found)[1] if other else None
            file.add(_asked(asker, group, clip, stranger))
            progress.advance(bar)


def _others(todo: Sequence[Group], every: Sequence[Group], settings: RunSettings) -> list[Group | None]:
    """For each group the one whose frames the probe `other-video` shows: the one before it in the task."""
    if "other-video" not in settings.probes or len(every) < 2:
        return [None] * len(todo)
    places = {id(group): place for place, group in enumerate(every)}
    return [every[places[id(group)] - 1] for group in todo]


def _asked(asker: Asker, group: Group, clip: Clip | Exception, other: Clip | Exception | None) -> list[Answer]:
    if isinstance(clip, Exception):
        return [Answer(row.id, error=str(clip)) for row in group.rows]
    return asker.answers(clip, group.rows, other if isinstance(other, Clip) else None)


def _progress(shown: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, disable=not shown, transient=False)


def _own_device(world: int) -> str | None:
    """Each of several processes takes a GPU of its own, where there are some."""
    if world == 1:
        return None
    import torch

    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if torch.cuda.is_available() else None


def _wait_for_all(output: Path, rank: int, world: int) -> None:
    if world == 1:
        return
    import torch.distributed as dist

    dist.init_process_group("gloo")
    dist.barrier()
    dist.destroy_process_group()
