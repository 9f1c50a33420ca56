"""``timeground eval``: loads tasks, asks the model, scores; resumable, and the same on one process or many."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from timeground.errors import UserError, VideoError
from timeground.files.folder_lock import only_run
from timeground.files.whole_files import refuse_unwritable
from timeground.media.clip import Clip
from timeground.models.base import Model
from timeground.models.names import is_url
from timeground.models.opening import open_model
from timeground.progress import Bars
from timeground.stopwatch import Stopwatch

from ..tasks import Task, get_spec, load_task
from .answering import Asker
from .answers import CLEAN, Answer, AnswerFile
from .calibrate import calibrate, profile_file
from .confidence import claims_of
from .costs import SecondsFile
from .outcome import TaskOutcome, read_answers, write_outcome
from .search_fit import fit_search
from .settings import RunSettings, keep_settings, refuse_others, run_facts, write_settings
from .videos import Group, clips, contents_of, group_rows, missing_videos

AT_ONCE = 8
"""Videos that an endpoint is asked about at a time."""
Shown = tuple[Group, Clip | Exception, Clip | Exception | None]
"""A video's rows with its clip, or why there is none, and the clip that the probe `other-video` shows."""


@dataclass(frozen=True)
class Runtime:
    """Where and how a run works; another runtime gives the same files."""

    device: str | None = None
    num_workers: int = 1
    """Processes that decode ahead."""
    cache: str | None = None
    """For an endpoint: a folder in which its answers are kept."""
    concurrency: int | None = None
    """For an endpoint: how many videos are asked about at a time."""
    follow_links: bool = False
    """Whether videos may be links out of their folder."""
    calibrate: bool = False
    """Whether the model's confidence is fitted on the answers in the end; they are the same."""
    trust_remote_code: bool = False
    """Whether Python code that the model's files bring with them may run."""

    def model_options(self, model: str, world: int) -> dict[str, Any]:
        """Return the model's options. Raise UserError for an endpoint's options where the model is none."""
        if is_url(model):
            return {"cache": self.cache, "concurrency": self.concurrency}
        for name in ("cache", "concurrency"):
            if getattr(self, name) is not None:
                raise UserError(f"--{name} is for models behind a URL; {model} runs here")
        return {"device": self.device or _own_device(world), "trust_remote_code": self.trust_remote_code}


@dataclass(frozen=True)
class Work:
    """What a run, or several with one method each, are about."""

    tasks: Sequence[Task]
    missing: dict[str, list[str]]
    """Videos that are not there, by task."""
    runtime: Runtime
    model: Callable[[], Model]
    """Opens it, once."""

    @classmethod
    def of(cls, settings: RunSettings, runtime: Runtime) -> Work:
        """Load the tasks: what is wrong with them is told before a folder is made. Raise UserError for it."""
        options = runtime.model_options(settings.model, world_size())
        tasks, missing = load_tasks(settings, runtime.follow_links)
        opened = partial(open_model, settings.model, profile=settings.profile, overrides=settings.overrides, **options)
        return cls(tasks, missing, runtime, cache(opened))


def evaluate(settings: RunSettings, output: Path, runtime: Runtime) -> None:
    """Run the tasks of `settings` and write everything into `output`. Raise UserError if another run works there."""
    work = Work.of(settings, runtime)
    with only_run(output), peers():
        answer_tasks(work, settings, output)


def answer_tasks(work: Work, settings: RunSettings, output: Path) -> list[TaskOutcome]:
    """Ask what is not answered yet, and write everything into `output`; returns the tasks' outcomes, in rank 0."""
    tasks, runtime = work.tasks, work.runtime
    rank, world = int(os.environ.get("RANK", "0")), world_size()
    facts = run_facts(settings, tasks)
    if rank == 0:
        refuse_others(output, facts)  # told before a model is loaded
        if runtime.calibrate:
            refuse_unwritable(profile_file(settings, output))
    clock, began = Stopwatch(), time.perf_counter()
    model = work.model()
    if rank == 0:
        keep_settings(output, facts | {"model_contents": model.contents})
    for task in tasks:
        asker = Asker(model, task, settings, clock)
        _answer_task(asker, output / task.spec.name, (rank, world), runtime)
    _wait_for_all(world)
    if rank != 0:
        return []
    fitted = _calibrate(model, tasks, settings, output, runtime, facts) if runtime.calibrate else None
    timings = {**clock.seconds, "total": time.perf_counter() - began}
    return write_outcome(output, tasks, model, settings, work.missing, timings, runtime.follow_links, fitted)


def _calibrate(
    model: Model, tasks: Sequence[Task], settings: RunSettings, output: Path, runtime: Runtime, facts: dict[str, Any]
) -> dict[str, Any]:
    """Fit the model's confidence on the answers; the run is known by the model's files as they are then."""
    answers = [(task.rows, read_answers(output, task, runtime.follow_links)) for task in tasks]
    claims = [claim for rows, found in answers for claim in claims_of(rows, found, model.profile)]
    traced = [(row, found[row.id, CLEAN].trace) for rows, found in answers for row in rows if (row.id, CLEAN) in found]
    fitted = calibrate(model, claims, settings, output, fit_search(traced))
    write_settings(output, facts | {"model_contents": model.contents})
    return fitted


def load_tasks(settings: RunSettings, follow_links: bool = False) -> tuple[list[Task], dict[str, list[str]]]:
    """Return the tasks with their rows, and the videos of each that are not there (said on standard error)."""
    data = Path(settings.data) if settings.data else None
    include = Path(settings.include_path) if settings.include_path else None
    tasks, missing = [], {}
    for name in settings.tasks:
        task = load_task(get_spec(name, include), data=data)
        task = replace(task, rows=task.rows[: settings.limit])
        groups = group_rows(task.rows, task.video_root, follow_links)
        gone = missing_videos(groups)
        missing[name] = gone
        if len(gone) == len({group.rows[0].video for group in groups}):
            where = f"put {gone[0]} and the others into {task.video_root}"
            raise UserError(f"{name}: none of its {len(gone)} videos is there; {where}")
        if gone:
            what = "left out" if settings.skip_missing else "scored as failures"
            shown = ", ".join(gone[:3]) + (", ..." if len(gone) > 3 else "")
            print(f"{name}: {len(gone)} videos are not in {task.video_root} and are {what}: {shown}", file=sys.stderr)
        if settings.skip_missing:
            task = replace(task, rows=[row for row in task.rows if row.video not in set(gone)])
        tasks.append(task)
    return tasks, missing


def _answer_task(asker: Asker, folder: Path, share: tuple[int, int], runtime: Runtime) -> None:
    """Ask this process's share of a task's videos, and keep what is said in the task's folder."""
    (rank, world), task, clock = share, asker.task, asker.clock
    file, times = AnswerFile(folder, rank), SecondsFile(folder, rank)
    every = group_rows(task.rows, task.video_root, runtime.follow_links)
    videos = contents_of(every)
    done = {key for key, answer in file.read(videos).items() if not answer.ask_again}
    groups = every[rank::world]
    todo = [group for group in groups if any((row.id, CLEAN) not in done for row in group.rows)]
    others = _others(todo, every, asker.settings)
    wanted = [group for pair in zip(todo, others, strict=True) for group in pair if group]
    found = clips(wanted, asker.sampling, runtime.num_workers)

    def decoded() -> Iterator[Shown]:
        for group, other in zip(todo, others, strict=True):
            with clock.on("decode"):
                began, clip = time.perf_counter(), next(found)[1]
                if group is not todo[0]:  # the first one waits for processes to start
                    asker.count_seconds(group.rows, time.perf_counter() - began)
                shown = group, clip, next(found)[1] if other else None
            yield shown

    with Bars(rank == 0) as bars:
        bar = bars.add(task.spec.name, len(groups), "videos", len(groups) - len(todo))
        at_once = (runtime.concurrency or AT_ONCE) if is_url(asker.settings.model) else 0
        for answers in _side_by_side(asker, decoded(), at_once) if at_once else (_asked(asker, *s) for s in decoded()):
            file.add(replace(answer, video=videos[answer.id]) for answer in answers)
            times.add({answer.id: asker.seconds.pop(answer.id) for answer in answers if answer.id in asker.seconds})
            bars.advance(bar)


def _side_by_side(asker: Asker, shown: Iterator[Shown], at_once: int) -> Iterator[list[Answer]]:
    """Yield answers in the order of the videos, `at_once` of which are asked about: a server has time for more."""
    own_clock = replace(asker, clock=Stopwatch())  # threads would count the same seconds several times
    pool, waiting = ThreadPoolExecutor(at_once), deque[Future[list[Answer]]]()

    def next_answers() -> list[Answer]:
        with asker.clock.on("generate"):
            return waiting.popleft().result()

    try:
        for one in shown:
            waiting.append(pool.submit(_asked, own_clock, *one))
            if len(waiting) >= at_once:
                yield next_answers()
        while waiting:
            yield next_answers()
    finally:
        pool.shutdown(cancel_futures=True)


def _others(todo: Sequence[Group], every: Sequence[Group], settings: RunSettings) -> list[Group | None]:
    """Return for each group the one whose frames the probe `other-video` shows: the one before it in the task."""
    if "other-video" not in settings.probes or len(every) < 2:
        return [None] * len(todo)
    places = {id(group): place for place, group in enumerate(every)}
    return [every[places[id(group)] - 1] for group in todo]


def _asked(asker: Asker, group: Group, clip: Clip | Exception, other: Clip | Exception | None) -> list[Answer]:
    if isinstance(clip, Exception):
        return [Answer(row.id, error=str(clip)) for row in group.rows]
    video = group.video(clip, asker.sampling)
    try:
        return asker.answers(video, group.rows, other if isinstance(other, Clip) else None)
    except VideoError as error:  # of a method that reads the video itself
        return [Answer(row.id, error=str(error)) for row in group.rows]


def _own_device(world: int) -> str | None:
    """Return a GPU of its own for each of several processes, where there are some."""
    if world == 1:
        return None
    import torch

    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if torch.cuda.is_available() else None


def world_size() -> int:
    """Return how many processes share the videos."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def peers() -> Iterator[None]:
    """Let go, in the end, of what the processes of a run wait for each other by."""
    try:
        yield
    finally:
        if world_size() > 1:
            import torch.distributed as dist

            if dist.is_initialized():
                dist.destroy_process_group()


def _wait_for_all(world: int) -> None:
    if world == 1:
        return
    import torch.distributed as dist

    if not dist.is_initialized():
        dist.init_process_group("gloo")
    dist.barrier()
