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

from ..config import DataSettings
from .rejected import Rejected, crashing, noted, reason_of
from .render import ClipRows
from .scenes import SynthSource

REJECTED = "rejected.jsonl"


Made = TypeVar("Made", covariant=True)


class Source(Protocol):
    """Micro-batches by number, the same number always the same clips and rows; so a run resumes exactly."""

    def made(self, micro_batch: int, make: Callable[[ClipRows], Made]) -> list[Made]:
        """Return what `make` makes of each clip of a micro-batch (numbered over the whole run)."""
        ...


def grouped(rows: Sequence[Row], each: int) -> list[list[Row]]:
    """Return rows in groups of one clip, at most `each` of them, in the order in which clips come first."""
    of_clip: dict[tuple[str, Span | None], list[Row]] = defaultdict(list)
    for row in rows:
        of_clip[row.video, row.window].append(row)
    return [some[i : i + each] for some in of_clip.values() for i in range(0, len(some), each)]


def pass_order(seed: int, turn: int, num_groups: int) -> NDArray[np.int64]:
    """Return in which order groups come in a pass over all of them (from 0)."""
    return np.random.default_rng([seed, turn]).permutation(num_groups)


@dataclass
class RowSource:
    """Rows of a file, grouped by video; each pass is in a new order.

    The next clip takes the place of one that has no row left.
    """

    data: DataSettings
    sampling: Sampling
    size: int
    seed: int
    rejected: Path
    """Lists rows of which nothing can be made, because their video cannot be read or for any other reason."""
    left_out: frozenset[str] = frozenset()
    """Ids of rows to train without."""
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
        """Return what is made of the number-th clip of the run, or of the next that something can be made of."""
        for place in range(number, number + len(self.groups)):
            found = self.tried(self._group(place), make)
            if found is not None:
                return found
        reason = next(iter(self.bad.values()), "no rows")
        raise UserError(
            f"none of the rows of {self.name} can be used, the first because: {reason}; see {self.rejected}"
        )

    def tried(self, rows: Sequence[Row], make: Callable[[ClipRows], Made]) -> Made | None:
        """Return what is made of a clip's rows, but for those that are bad; None, and they are listed, if all are."""
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
        """Return the clip of a row."""
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
        """Return the clip of a row, read from its shard."""
        return read_clip(self.root, self.samples[row.video, row.window])


def make_source(
    data: DataSettings, sampling: Sampling, size: int, seed: int, output: Path, left_out: frozenset[str] = frozenset()
) -> Source:
    """Return what a recipe trains on, `size` clips a micro-batch. left_out: ids of rows to train without."""
    if data.synth_seed is not None:
        return SynthSource(data, sampling, size)
    kind = SampleSource if data.samples is not None else RowSource
    return kind(data, sampling, size, seed, output / REJECTED, left_out)
