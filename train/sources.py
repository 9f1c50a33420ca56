"""What is trained on: clips with their rows, by number: from a file of rows, from shards, or rendered on the fly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from timeground.data.clip_shards import read_clip, read_index
from timeground.data.rows import Row, read_rows, resolve_video
from timeground.errors import UserError, VideoError
from timeground.media.clip import Clip
from timeground.media.sampling import Sampling
from timeground.spans import Span
from timeground.synth.frames import scene_clip, scene_seed
from timeground.synth.rows import make_rows
from timeground.synth.world import SIZES, sample_scene

from .config import DataSettings, StageSettings
from .crashes import crashing, noted
from .rejected import Rejected, reason_of

REJECTED = "rejected.jsonl"


@dataclass(frozen=True)
class ClipRows:
    """A clip and some of its rows. as_images: shown as stamped images; snap: see `examples.snapped`."""

    clip: Clip
    rows: list[Row]
    as_images: bool = False
    snap: str | None = None


Made = TypeVar("Made", covariant=True)


class Source(Protocol):
    """Micro-batches by number, the same number always the same clips and rows; so a run resumes exactly."""

    def made(self, micro_batch: int, make: Callable[[ClipRows], Made]) -> list[Made]:
        """What `make` makes of each clip of a micro-batch (numbered over the whole run)."""
        ...


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
        return [make(self._clip(stage, since, (micro_batch << 16) + index)) for index in range(count)]

    def _clip(self, stage: StageSettings, since: int, number: int) -> ClipRows:
        """Render a scene and ask some of its rows. since: micro-batches since the stage began."""
        assert self.data.synth_seed is not None
        seed = scene_seed("train", self.data.synth_seed, number)
        cycle, place = divmod(since, len(stage.durations_s))
        order = np.random.default_rng([self.data.synth_seed, cycle])
        size = SIZES[order.integers(len(SIZES))]
        scene = sample_scene(seed, durations_s=stage.durations_s[place], size=size, level=stage.level)
        rng = np.random.default_rng([seed, 31])
        rows = choose_rows(make_rows(scene, f"{seed}.mp4"), stage.kind_weights, self.data.questions_per_video, rng)
        rows = [jittered(row, stage.jitter_s, rng) for row in rows]
        as_images = bool(order.random() < self.data.image_share)
        return ClipRows(scene_clip(scene, self.sampling), rows, as_images, "nearest" if stage.snap else None)

    def _stage(self, micro_batch: int) -> tuple[StageSettings, int]:
        """The stage of a micro-batch, and how many of the stage came before it."""
        for stage in self.data.synth_stages[:-1]:
            if micro_batch < (stage.micro_batches or 0):
                return stage, micro_batch
            micro_batch -= stage.micro_batches or 0
        return self.data.synth_stages[-1], micro_batch


def grouped(rows: Sequence[Row], each: int) -> list[list[Row]]:
    """Rows of one clip, at most `each` of them, in groups; of several, in the order in which clips come first."""
    of_clip: dict[tuple[str, Span | None], list[Row]] = defaultdict(list)
    for row in rows:
        of_clip[row.video, row.window].append(row)
    return [some[i : i + each] for some in of_clip.values() for i in range(0, len(some), each)]


def pass_order(seed: int, turn: int, num_groups: int) -> NDArray[np.int64]:
    """In which order groups come in a pass over all of them (from 0)."""
    return np.random.default_rng([seed, turn]).permutation(num_groups)


@dataclass
class RowSource:
    """Rows of a file, grouped by video; each pass is in a new order.

    Rows of which nothing can be made, because their video cannot be read or for any other reason, are listed in
    `rejected`, and the next clip takes the place of one that has none left. left_out: ids of rows to train without.
    """

    data: DataSettings
    sampling: Sampling
    size: int
    seed: int
    rejected: Path
    left_out: frozenset[str] = frozenset()
    bad: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root, self.name = Path(self.data.videos), self.data.rows or ""
        self.take([row for row in read_rows(Path(self.name)) if row.id not in self.left_out])

    def take(self, rows: list[Row]) -> None:
        """Begin with these rows, all that there are."""
        self.rows, self.bad = rows, crashing(self.rejected)
        self.of_video: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            self.of_video[row.video].append(row)
        self.use(rows)

    def use(self, rows: Sequence[Row]) -> None:
        """Train on these rows; none at all is a UserError."""
        if not rows:
            raise UserError(f"{self.name}: no rows to train on")
        self.groups = grouped(rows, self.data.questions_per_video)

    def made(self, micro_batch: int, make: Callable[[ClipRows], Made]) -> list[Made]:
        """Decode the next videos, and make something of each."""
        return [self._made(micro_batch * self.size + index, make) for index in range(self.size)]

    def _made(self, number: int, make: Callable[[ClipRows], Made]) -> Made:
        """What is made of the number-th clip of the run, or of the next that something can be made of."""
        for place in range(number, number + len(self.groups)):
            found = self.tried(self._group(place), make)
            if found is not None:
                return found
        reason = next(iter(self.bad.values()), "no rows")
        raise UserError(
            f"none of the rows of {self.name} can be used, the first because: {reason}; see {self.rejected}"
        )

    def tried(self, rows: Sequence[Row], make: Callable[[ClipRows], Made]) -> Made | None:
        """What is made of a clip's rows, but for those that are bad; None, and they are listed, if all are."""
        rows = [row for row in rows if row.id not in self.bad]
        if not rows:
            return None
        try:
            with noted(self.rejected.parent, self.of_video[rows[0].video]):
                item = ClipRows(self.decode(rows[0]), rows, snap=self.data.snap)
        except VideoError as error:
            self.reject(self.of_video[rows[0].video], reason_of(error))
            return None
        except Exception as error:  # whatever a reader stumbles over, the run goes on
            self.reject(rows, reason_of(error))
            return None
        try:
            return make(item)
        except Exception as error:
            return self._without_bad_rows(item, make, error)

    def _without_bad_rows(self, item: ClipRows, make: Callable[[ClipRows], Made], error: Exception) -> Made | None:
        """Try each row alone, and make something of those that are good."""
        good = []
        for row in item.rows:
            try:
                make(replace(item, rows=[row]))
                good.append(row)
            except Exception as reason:
                self.reject([row], reason_of(reason))
        if len(good) == len(item.rows):  # each is good alone, so it is not for the rows
            raise error
        return make(replace(item, rows=good)) if good else None

    def reject(self, rows: Sequence[Row], reason: str) -> None:
        """List rows, and pass over them from now on."""
        Rejected(self.rejected).add((row, reason) for row in rows)
        self.bad.update({row.id: reason for row in rows})

    def _path(self, row: Row) -> Path:
        return resolve_video(self.root, row.video, follow_links=self.data.follow_links)

    def decode(self, row: Row) -> Clip:
        """The clip of a row."""
        from timeground.media.containers.frame_folder import DEFAULT_FOLDER_FPS
        from timeground.media.decode import decode

        start_s, end_s = (row.window.start_s, row.window.end_s) if row.window else (None, None)
        path, fps = self._path(row), row.folder_fps or DEFAULT_FOLDER_FPS
        return decode(path, self.sampling, start_s=start_s, end_s=end_s, folder_fps=fps)

    def _group(self, number: int) -> list[Row]:
        turn, place = divmod(number, len(self.groups))
        return self.groups[pass_order(self.seed, turn, len(self.groups))[place]]


class SampleSource(RowSource):
    """The same from a folder of samples, decoded by the data pipeline; see `timeground.data.clip_shards`."""

    def __post_init__(self) -> None:
        self.name = self.data.samples or ""
        self.root = Path(self.name)
        held = read_index(self.root)
        self.samples = {(sample.video, sample.window): sample for sample in held}
        for sample in held:
            sample.check_sampling(self.sampling)
        self.take([row for sample in held for row in sample.rows if row.id not in self.left_out])

    def decode(self, row: Row) -> Clip:
        """The clip of a row, read from its shard."""
        return read_clip(self.root, self.samples[row.video, row.window])


def refuse_unclear(data: DataSettings) -> None:
    """UserError unless a recipe says what to train on, once."""
    if [data.rows, data.samples, data.synth_seed].count(None) != 2:
        raise UserError(
            "recipe: give one of data.rows (a file), data.samples (a folder of the data pipeline) and data.synth_seed "
            "(SynthMoments), and set the others to null"
        )


def make_source(
    data: DataSettings, sampling: Sampling, size: int, seed: int, output: Path, left_out: frozenset[str] = frozenset()
) -> Source:
    """What a recipe trains on, `size` clips a micro-batch. left_out: ids of rows to train without."""
    refuse_unclear(data)
    if data.synth_seed is not None:
        return SynthSource(data, sampling, size)
    kind = SampleSource if data.samples is not None else RowSource
    return kind(data, sampling, size, seed, output / REJECTED, left_out)


def choose_rows(rows: Sequence[Row], weights: dict[str, float], count: int, rng: np.random.Generator) -> list[Row]:
    """Up to `count` of a scene's rows, drawn without repeats by the weight of their kind."""

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
    """The row with its spans' starts moved by a draw from (low, high) and their ends by one from another (low, high).

    So are the spans that people annotate. A span keeps at least half a second, and stays inside the video.
    """
    if jitter_s is None:
        return row

    def moved(span: Span) -> Span:
        start = min(max(0.0, span.start_s + rng.uniform(*jitter_s[:2])), row.duration - 0.5)
        end = min(row.duration, max(start + 0.5, span.end_s + rng.uniform(*jitter_s[2:])))
        return Span(round(start, 1), round(end, 1))

    return replace(row, spans=[moved(span) for span in row.spans])
