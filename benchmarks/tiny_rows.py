"""What `tiny_grounding` asks: jobs of one clip and its rows, chosen from seeds before anything is rendered.

A scene has a job if it has a row that some figure still lacks. Which rows a figure is made of depends on the settings
alone: the first so many that count for it, in the order of the jobs.

* ``video``: a whole video, decoded from an mp4 file, with all the rows that SynthMoments makes of it.
* ``clip``: a whole video of the same split, rendered as a clip without a file, with those rows that are lacking.
  Some time-sensitive queries are asked of the clip played backwards, too.
* ``window``: a part of 5 to 60 s of a scene of 60 to 600 s, without a file. Asked is for what happens in the scene but
  never in the part, and whether something happens in the part at all.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from timeground.data.rows import Row
from timeground.files.content_keys import rows_contents
from timeground.spans import Span
from timeground.synth.frames import scene_seed
from timeground.synth.language import PHRASES, sentence
from timeground.synth.lessons import lesson_rows
from timeground.synth.rows import Event, events_of, grounding_row, make_rows, numbered, scene_row
from timeground.synth.scene import Scene, cut, is_unseen
from timeground.synth.world import sample_scene

Part = Literal["video", "clip", "window"]
MOTIONS = ("up", "down", "left", "right")
OF_CLIPS = ("multi", "absent", "yes_no", "happens", "choice", "events", "composed", "tdd", *MOTIONS, "confidence")
"""What rows of whole videos count for, beside single spans; `counts_for` says which."""
OF_WINDOWS = ("window_absent", "window_happens")
LONG_S, WINDOW_S = (60.0, 600.0), (5.0, 60.0)
LONG_SEED = 1000
"""Added to the seed for long scenes, so that none is a longer telling of a short one."""
ABSENT_EACH = 2
"""So many absent events are asked of one window at most."""
ORDERED = re.compile(r"(?:after|before) the (?P<ref>.+) (?:dis)?appears, (?P<event>.+)")


@dataclass(frozen=True)
class Settings:
    """What is asked."""

    split: str = "held_out"
    seed: int = 0
    videos: int = 140
    """Of which there are files."""
    queries: int = 500
    """Single-span queries; no further file is asked once there are so many."""
    rows: int = 300
    """Rows of every other kind."""
    motion: int = 300
    """Single-span queries of each of up, down, left and right."""
    answers: int = 5000
    """Answers whose confidence is compared with how many are right."""
    scenes: int = 6000
    """So many scenes are looked at for clips, and as many for windows, until each kind has its number."""

    def wanted(self, name: str) -> int:
        """Return how many rows are to count for something."""
        named = {"single": self.queries, "confidence": self.answers, **dict.fromkeys(MOTIONS, self.motion)}
        return named.get(name, self.rows)


@dataclass(frozen=True)
class Job:
    """The rows of one clip, which share its prefix."""

    part: Part
    scene: Scene
    """What the clip shows; of a window only that part."""
    rows: list[Row]
    backwards: list[Row]
    """Those that are asked of the clip played backwards, too."""

    @cached_property
    def key(self) -> str:
        """Return the identity of all that an answer depends on but the model and the code."""
        told = (self.part, repr(self.scene), rows_contents(self.rows), rows_contents(self.backwards))
        return hashlib.sha256("\0".join(told).encode()).hexdigest()[:24]


def plan(settings: Settings) -> list[Job]:
    """Return all jobs, in a fixed order."""
    lacking = {name: settings.wanted(name) for name in (*OF_CLIPS, *OF_WINDOWS)}
    videos = list(_video_jobs(settings))
    for job in videos:
        for row in job.rows:
            _take(lacking, counts_for("video", row))
    clips = _until_enough(lambda index: _clip_job(settings, index, lacking), settings, lacking, OF_CLIPS)
    windows = _until_enough(lambda index: _window_job(settings, index, lacking), settings, lacking, OF_WINDOWS)
    return [*videos, *clips, *windows]


def counts_for(part: Part, row: Row) -> list[str]:
    """Return the names of what a row counts for: its kind, its motion, direction in time ("tdd"), and confidence."""
    kind, is_single = str(row.meta["kind"]), row.meta["kind"] == "single"
    if kind in ("happens", "part", "composed", *OF_WINDOWS):
        return [kind]
    names = [kind] if part == "video" or not is_single else []
    if is_single and row.meta["action"] in MOTIONS:
        names.append(row.meta["action"])
    if is_single and row.direction == "sensitive" and part == "clip":
        names.append("tdd")
    return [*names, "confidence"] if row.task in ("ground", "choice", "yes_no") else names


def _take(lacking: dict[str, int], names: Sequence[str]) -> list[str]:
    """Return which of the names still lack a row, and lessen what they lack."""
    found = [name for name in names if lacking.get(name, 0) > 0]
    for name in found:
        lacking[name] -= 1
    return found


def _until_enough(
    make: Callable[[int], Job], settings: Settings, lacking: dict[str, int], names: Sequence[str]
) -> Iterator[Job]:
    """Yield the jobs that have rows, until none of the names lacks any or all scenes were looked at."""
    for index in range(settings.scenes):
        if not any(lacking[name] for name in names):
            return
        if (job := make(index)).rows:
            yield job


def _video_jobs(settings: Settings) -> Iterator[Job]:
    """Yield all rows of each video that has a file, until there are enough single-span queries."""
    single = 0
    for index in range(settings.videos):
        scene = _scene(settings, index)
        rows = make_rows(scene, f"videos/{settings.split}-{settings.seed}-{index:05d}.mp4")
        yield Job("video", scene, rows, [])
        single += sum(row.meta["kind"] == "single" for row in rows)
        if single >= settings.queries:
            return


def _scene(settings: Settings, index: int) -> Scene:
    return sample_scene(scene_seed(settings.split, settings.seed, index), unseen=settings.split == "held_out")


def _clip_job(settings: Settings, index: int, lacking: dict[str, int]) -> Job:
    """Return the rows of a scene that are lacking; it is none of those that have a file."""
    index += settings.videos
    scene = _scene(settings, index)
    asked, backwards, parts = [], [], []
    rows = clip_rows(scene, f"clip-{settings.split}-{settings.seed}-{index:05d}.mp4")
    for row in rows:
        if found := _take(lacking, counts_for("clip", row)):
            asked.append(row)
            parts += row.meta.get("parts", [])
            backwards += [row] if "tdd" in found else []
    asked += [row for row in rows if row.meta["kind"] == "part" and row.query in parts]
    return Job("clip", scene, asked, backwards)


def clip_rows(scene: Scene, video: str) -> list[Row]:
    """Return the rows of a scene, then whether something happens at all, then compositions with their parts."""
    rows = make_rows(scene, video)
    more = [*happens_rows(scene, "happens"), *composed_rows(scene, rows)]
    return [*rows, *numbered(more, video, len(rows))]


def happens_rows(scene: Scene, kind: str) -> list[Row]:
    """Return whether one thing happens that does, and one that does not; nothing where either is not there."""
    rng = np.random.default_rng([scene.seed, 43])
    rows = [row for row in lesson_rows(scene, "", 0) if row.meta["kind"] == "happens"]
    groups = [[row for row in rows if row.answer == answer] for answer in ("yes", "no")]
    if not all(groups):
        return []
    pair = [group[rng.integers(len(group))] for group in groups]
    return [replace(row, meta={**row.meta, "kind": kind}) for row in pair]


def composed_rows(scene: Scene, rows: Sequence[Row]) -> list[Row]:
    """Return rows that ask for an event before or after another, where a held-out actor takes part; with their parts.

    The parts are the event by itself, in the same words, and when the actor is visible that comes or leaves; a whole
    names their queries in ``meta["parts"]``.
    """
    held_out = [actor.name for actor in scene.actors if is_unseen(actor.colour, actor.shape)]
    wholes: list[Row] = []
    parts: dict[str, Row] = {}
    for row in rows:
        found = ORDERED.fullmatch(row.query) if row.meta["kind"] == "ordered" else None
        if found is None or not any(name in row.query for name in held_out):
            continue
        visible = sentence("visible", 0, found["ref"])
        names = (found["event"], visible)
        for query in names:
            parts[query] = scene_row(scene, query, _spans_of(scene, query), "part")
        wholes.append(replace(row, meta={**row.meta, "kind": "composed", "parts": list(names)}))
    return [*wholes, *parts.values()]


def _spans_of(scene: Scene, query: str) -> tuple[Span, ...]:
    """Return when a plain sentence of a scene holds, in whichever of its wordings."""
    return next(
        event.spans
        for event in events_of(scene)
        if any(sentence(event.action, n, event.a, event.b) == query for n in range(len(PHRASES[event.action])))
    )


def _window_job(settings: Settings, index: int, lacking: dict[str, int]) -> Job:
    """Return the rows of a part of a long scene that are lacking."""
    seed = scene_seed(settings.split, LONG_SEED + settings.seed, index)
    whole = sample_scene(seed, unseen=settings.split == "held_out", durations_s=LONG_S)
    rng = np.random.default_rng([whole.seed, 47])
    part = window_of(whole, rng)
    rows = [*absent_rows(whole, part, rng), *happens_rows(part, "window_happens")]
    rows = numbered(rows, f"window-{settings.split}-{settings.seed}-{index:05d}.mp4")
    return Job("window", part, [row for row in rows if _take(lacking, counts_for("window", row))], [])


def window_of(scene: Scene, rng: np.random.Generator) -> Scene:
    """Return a part of a scene, of a length drawn evenly in its logarithm."""
    length_s = float(np.round(np.exp(rng.uniform(*np.log(WINDOW_S))), 1))
    length_s = min(length_s, scene.duration_s)
    start_s = float(np.round(rng.uniform(0.0, scene.duration_s - length_s), 1))
    return cut(scene, start_s, min(start_s + length_s, scene.duration_s))


def absent_rows(whole: Scene, part: Scene, rng: np.random.Generator) -> list[Row]:
    """Return queries for what happens in a scene but never in a part of it."""
    start_s, end_s = part.origin_s, part.origin_s + part.duration_s
    events = [e for e in events_of(whole) if all(s.end_s <= start_s or s.start_s >= end_s for s in e.spans)]
    rows = []
    for number in rng.permutation(len(events))[:ABSENT_EACH]:
        event = events[number]
        row = grounding_row(part, Event(event.action, event.a, event.b, ()), rng, [])
        rows.append(replace(row, meta={**row.meta, "kind": "window_absent"}))
    return rows
