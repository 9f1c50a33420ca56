"""Asks a model the jobs of `tiny_rows`: each clip once with all its rows, in one process or several.

What is said of a clip is kept in a file of its own, so that a run that was killed goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import math
import multiprocessing
import os
import statistics
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from benchmarks.common import cache_folder
from benchmarks.tiny_rows import Job, Part
from timeground import synth
from timeground.chat.profile import FILE_NAME
from timeground.data.rows import Row
from timeground.files.content_keys import model_contents
from timeground.files.whole_files import write_text
from timeground.media.clip import Clip
from timeground.media.video import Video
from timeground.methods.base import Method
from timeground.methods.grounder import Grounder
from timeground.models.base import Model
from timeground.models.local.model import LocalModel
from timeground.models.names import model_folder
from timeground.synth.files import write_video
from timeground.synth.frames import scene_clip, scene_seed
from timeground.synth.rows import make_rows
from timeground.synth.world import sample_scene
from timeground.worker import begin_work

TOP = 0.05
"""The share of a clip's frame pairs among which a text-to-frame head is to have the event's."""
SPEED_S = 60.0
"""How long the clip is on which speed is measured."""


@dataclass(frozen=True)
class Answer:
    """What a model said to a row."""

    part: Part
    row: Row
    text: str
    confidence: float | None
    backwards: str | None = None
    """What it said of the clip played backwards, if it was asked."""
    by_head: bool | None = None
    """Whether the frame pairs that its text-to-frame head likes best hold the event; None if it has no head."""


def answer_all(jobs: Sequence[Job], model: str, root: Path, processes: int = 1) -> list[Answer]:
    """Return the answers to all rows, in order; those that an earlier run kept are not asked again.

    root: the folder of the videos that have a file.
    """
    folder = cache_folder() / f"tiny-answers-{_contents(model)}"
    missing = [job for job in jobs if not _kept(folder, job).exists()]
    done = _serial(missing, model, root, folder) if processes == 1 else _pooled(missing, model, root, folder, processes)
    described = f"asking {model} about {len(missing)} of {len(jobs)} clips"
    for _ in track(done, total=len(missing), description=described, console=Console(stderr=True)):
        pass
    return [answer for job in jobs for answer in _read(job, _kept(folder, job))]


def synth_files() -> list[Path]:
    """Return the source files of the rendered world."""
    return sorted(Path(synth.__file__).parent.glob("*.py"))


def sources_hash(files: Sequence[Path]) -> str:
    """Return eight letters that change with the files."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:8]


def _contents(model: str) -> str:
    """Return the identity of a model, its calibration and all code that makes rows and asks them.

    Of a server's model nothing can be told, so that it is always asked anew.
    """
    own = [Path(__file__), Path(__file__).with_name("tiny_rows.py")]
    sources, folder = sources_hash([*synth_files(), *own]), model_folder(model)
    if folder is None:
        return f"{uuid.uuid4().hex[:16]}-{sources}"
    profile = (folder / FILE_NAME).read_bytes() if (folder / FILE_NAME).is_file() else b""
    return hashlib.sha256(model_contents(model).encode() + profile).hexdigest()[:16] + f"-{sources}"


def _kept(folder: Path, job: Job) -> Path:
    return folder / f"{job.key}.json"


def _read(job: Job, path: Path) -> Iterator[Answer]:
    said = json.loads(path.read_text(encoding="utf-8"))
    backwards = dict(zip((row.id for row in job.backwards), said["backwards"], strict=True))
    for row, (text, confidence), by_head in zip(job.rows, said["forwards"], said["by_head"], strict=True):
        yield Answer(job.part, row, text, confidence, backwards.get(row.id), by_head)


def _serial(jobs: Sequence[Job], model: str, root: Path, folder: Path) -> Iterator[None]:
    grounder = Grounder.from_pretrained(model) if jobs else None
    for job in jobs:
        assert grounder
        keep(job, grounder, root, folder)
        yield


def _pooled(jobs: Sequence[Job], model: str, root: Path, folder: Path, processes: int) -> Iterator[None]:
    """Ask in worker processes, each of one thread and with a model of its own."""
    context = multiprocessing.get_context("spawn")
    begin = partial(_begin, os.getpid(), model, root, folder)
    with ProcessPoolExecutor(processes, context, begin) as pool:
        yield from pool.map(_keep_here, jobs)


_keep: Callable[[Job], None]
"""What a worker process does with a job."""


def _begin(parent: int, model: str, root: Path, folder: Path) -> None:
    global _keep
    begin_work(parent)
    _keep = partial(keep, grounder=Grounder.from_pretrained(model), root=root, folder=folder)


def _keep_here(job: Job) -> None:
    _keep(job)


def keep(job: Job, grounder: Grounder, root: Path, folder: Path) -> None:
    """Ask a job, and write what is said of it into its file."""
    write_text(_kept(folder, job), json.dumps(ask(job, grounder, root)))


def ask(job: Job, grounder: Grounder, root: Path) -> dict[str, Any]:
    """Return texts and confidences of a job's rows, what a head finds, and texts of those asked backwards."""
    clip = None if job.part == "video" else scene_clip(job.scene, grounder.model.sampling())
    with grounder.watch(clip or root / job.rows[0].video).method as method:
        forwards, by_head = _said(method, job.rows), found_by_head(grounder.model, method.clip, job.rows)
    backwards: list[tuple[str, float | None]] = []
    if clip and job.backwards:
        with grounder.watch(clip.reversed()).method as method:
            backwards = _said(method, job.backwards)
    return {"forwards": forwards, "backwards": [text for text, _ in backwards], "by_head": by_head}


def found_by_head(model: Model, clip: Clip, rows: Sequence[Row]) -> list[bool | None]:
    """Return of each row with spans whether its event is in a frame pair among those that a head scores highest."""
    sought = [row for row in rows if row.task == "ground" and row.spans]
    if not sought or not isinstance(model, LocalModel) or not model.profile.frame_head:
        return [None] * len(rows)
    times_s = clip.pair_times_s().mean(dim=1)
    best_QK = model.frame_scores(clip, [row.query for row in sought]).topk(math.ceil(TOP * len(times_s))).indices
    found = {
        row.id: any(span.start_s <= time_s < span.end_s for span in row.spans for time_s in times_s[best_K].tolist())
        for row, best_K in zip(sought, best_QK, strict=True)
    }
    return [found.get(row.id) for row in rows]


def _said(method: Method, rows: Sequence[Row]) -> list[tuple[str, float | None]]:
    return [(outcome.answer.text, outcome.confidence) for (outcome,) in method.answers(rows)]


def speed(model: str, split: str, repeats: int = 5) -> dict[str, float | int]:
    """Return the median seconds of decoding a file of 60 s, and of showing its clip and answering one query."""
    scene = sample_scene(scene_seed(split, 0, 0), unseen=split == "held_out", durations_s=(SPEED_S, SPEED_S))
    path = cache_folder() / f"speed-{split}-{sources_hash(synth_files())}.mp4"
    if not path.exists():
        write_video(scene, path)
    row = next(row for row in make_rows(scene, path.name) if row.meta["kind"] == "single")
    grounder = Grounder.from_pretrained(model)
    times_s = [_seconds(grounder, path, row) for _ in range(1 + repeats)][1:]  # the first warms up
    decode_s, answer_s = (round(statistics.median(side), 3) for side in zip(*times_s, strict=True))
    return {"clip_s": SPEED_S, "decode_s": decode_s, "answer_s": answer_s, "runs": repeats}


def _seconds(grounder: Grounder, path: Path, row: Row) -> tuple[float, float]:
    path.touch()  # what is known of an unchanged file, such as where its frames are, would not be read again
    began = time.perf_counter()
    clip = Video(path).part(None, grounder.model.sampling())
    decoded = time.perf_counter()
    with grounder.watch(clip).method as method:
        method.answers([row])
    return decoded - began, time.perf_counter() - decoded
