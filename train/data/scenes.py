"""Scenes of SynthMoments, rendered while a run trains on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from timeground.data.rows import Row
from timeground.media.sampling import Sampling
from timeground.spans import Span
from timeground.synth.frames import scene_clip, scene_seed
from timeground.synth.lessons import lesson_rows
from timeground.synth.rows import make_rows
from timeground.synth.scene import Scene, cut
from timeground.synth.world import SIZES, sample_scene

from ..config import DataSettings, StageSettings
from .looks import LOOK, looks
from .render import ClipRows

Made = TypeVar("Made")

ROW_KINDS = (
    "single", "multi", "ordered", "absent", "choice", "yes_no", "events", "moment", "doing", "who", "where", "happens",
)  # fmt: skip
"""The kinds of a scene's rows, as `kind_weights` and a reward's `rows` name them."""


def scene_number(micro_batch: int, index: int) -> int:
    """Return the number of a scene in the whole run, from which it is made."""
    return (micro_batch << 16) + index


def spare_number(clip: int, attempt: int) -> int:
    """Return the number of a micro-batch that a run itself never reaches: what replaces a clip at some attempt."""
    return (1 << 40) + (clip << 8) + attempt


@dataclass(frozen=True)
class SynthSource:
    """SynthMoments scenes rendered on the fly; a micro-batch's clips share size and stretch of durations."""

    data: DataSettings
    sampling: Sampling
    size: int

    def made(self, micro_batch: int, make: Callable[[ClipRows], Made]) -> list[Made]:
        """Render as many scenes as the stage asks for, and make something of each."""
        stage, since = self._stage(micro_batch)
        count = stage.videos_per_micro_batch or self.size
        return [make(self._clip(stage, since, scene_number(micro_batch, index))) for index in range(count)]

    def _clip(self, stage: StageSettings, since: int, number: int) -> ClipRows:
        """Render a scene and ask some of its rows. since: micro-batches since the stage began."""
        assert self.data.synth_seed is not None
        seed = scene_seed("train", self.data.synth_seed, number)
        cycle, place = divmod(since, len(stage.durations_s))
        order = np.random.default_rng([self.data.synth_seed, cycle])
        size = SIZES[order.integers(len(SIZES))]
        scene = sample_scene(seed, durations_s=stage.durations_s[place], size=size, level=stage.level)
        rng = np.random.default_rng([seed, 31])
        if stage.windows_s is not None:
            scene = window_of(scene, stage, np.random.default_rng([seed, 37]))
        count = stage.questions_per_video or self.data.questions_per_video
        rows = choose_rows(all_rows(scene, f"{seed}.mp4"), stage.kind_weights, count, rng)
        rows = [jittered(row, stage.jitter_s, rng) for row in rows]
        as_images = bool(order.random() < self.data.image_share)
        clip = scene_clip(scene, self._sampling(stage, since))
        if rng.random() < stage.looks:
            return ClipRows(clip, rows, tools=(LOOK,), leads=looks(scene, rows, self.sampling, rng))
        return ClipRows(clip, rows, as_images, "nearest" if stage.snap else None)

    def _sampling(self, stage: StageSettings, since: int) -> Sampling:
        """Return how a micro-batch's clips are read: as the profile says, but for what the stage draws."""
        rng = np.random.default_rng([self.data.synth_seed or 0, since, 41])
        changes: dict[str, Any] = {}
        if stage.fps:
            changes["fps"] = stage.fps[rng.integers(len(stage.fps))]
        if stage.tokens_per_pair:
            largest = stage.tokens_per_pair[rng.integers(len(stage.tokens_per_pair))]
            changes |= {
                "max_tokens_per_pair": largest,
                "min_tokens_per_pair": min(largest, self.sampling.min_tokens_per_pair),
            }
        return replace(self.sampling, **changes)

    def _stage(self, micro_batch: int) -> tuple[StageSettings, int]:
        """Return the stage of a micro-batch, and how many of the stage came before it."""
        for stage in self.data.synth_stages[:-1]:
            if micro_batch < (stage.micro_batches or 0):
                return _turn(stage, micro_batch)
            micro_batch -= stage.micro_batches or 0
        return _turn(self.data.synth_stages[-1], micro_batch)


def _turn(stage: StageSettings, since: int) -> tuple[StageSettings, int]:
    """Return whose turn it is in a stage, two micro-batches each, so that two processes work on scenes of one kind."""
    kinds = [stage, *stage.in_turn_with]
    turn, place = divmod(since // 2, len(kinds))
    return kinds[place], 2 * turn + since % 2


def all_rows(scene: Scene, video: str) -> list[Row]:
    """Return the rows of a scene, with those that only training asks."""
    rows = make_rows(scene, video)
    return rows + lesson_rows(scene, video, len(rows))


def window_of(scene: Scene, stage: StageSettings, rng: np.random.Generator) -> Scene:
    """Return a part of a scene as a stage asks for it; all of the scene where that is shorter."""
    assert stage.windows_s is not None
    length_s = min(scene.duration_s, _drawn(stage.windows_s, rng))
    start_s = float(np.round(rng.uniform(0.0, scene.duration_s - length_s), 1))
    part = cut(scene, start_s, start_s + length_s)
    is_late = stage.latest_s > 1 and rng.random() < 0.5
    return replace(part, clock_s=_drawn((1.0, stage.latest_s), rng)) if is_late else part


def _drawn(between: tuple[float, float], rng: np.random.Generator) -> float:
    """Return a time drawn evenly in its logarithm, in tenths of a second."""
    return float(np.round(np.exp(rng.uniform(*np.log(between))), 1))


def choose_rows(rows: Sequence[Row], weights: dict[str, float], count: int, rng: np.random.Generator) -> list[Row]:
    """Return up to `count` of a scene's rows, drawn without repeats by the weight of their kind."""

    def weight(row: Row) -> float:
        kind = row.meta["kind"]
        return weights.get(f"{kind}:{row.meta.get('action')}", weights.get(kind, 0.0 if weights else 1.0))

    shares: NDArray[np.float64] = np.array([weight(row) for row in rows])
    if not shares.any():  # nothing that is wanted happens in this scene
        shares[:] = 1.0
    count = min(count, int((shares > 0).sum()))
    picked = rng.choice(len(rows), count, replace=False, p=shares / shares.sum())
    return [rows[i] for i in picked]


def jittered(row: Row, jitter_s: tuple[float, float, float, float] | None, rng: np.random.Generator) -> Row:
    """Return the row with its spans' starts moved by a draw from (low, high), and their ends by one from another.

    So are the spans that people annotate. A span keeps at least half a second, and stays inside the video.
    """
    if jitter_s is None:
        return row

    def moved(span: Span) -> Span:
        start = min(max(0.0, span.start_s + rng.uniform(*jitter_s[:2])), row.duration - 0.5)
        end = min(row.duration, max(start + 0.5, span.end_s + rng.uniform(*jitter_s[2:])))
        return Span(round(start, 1), round(end, 1))

    return replace(row, spans=[moved(span) for span in row.spans])
