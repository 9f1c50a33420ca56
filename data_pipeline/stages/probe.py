"""Measures each video file, filters by TimeLens's plain rules, and keeps test videos out."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from timeground.data.formats import read
from timeground.data.rows import Row, read_rows
from timeground.errors import UserError
from timeground.media.clip import Clip
from timeground.media.decode import probe
from timeground.media.sampling import Sampling

from ..inputs import MEASURED_LATER_S
from ..item import Item
from ..notes import note
from ..stage import VideoStage
from ..tools import Tools

SOUND = re.compile(
    r"\b(?:hear[sd]?|hearing|sounds?|sounding|audio|audible|listen\w*|loud\w*|noises?|noisy|voices?|music\w*|songs?)\b",
    re.IGNORECASE,
)
FINGERPRINT_FRAMES = 8
LOOK = Sampling(fps=0.001, min_frames=8, max_frames=8, min_tokens_per_pair=4, max_tokens_per_pair=9, total_tokens=36)
CLOSE_S = 0.5
"""A published length this close to the measured one is left as it is."""


class Probe(VideoStage):
    """Writes facts of the file, and applies plain filters (TimeLens's defaults)."""

    gives = ("facts.duration_s", "facts.fps", "facts.width", "facts.height", "facts.has_audio", "facts.fingerprint")
    gives_if: ClassVar[dict[str, str]] = {"facts.fingerprint": "fingerprint"}
    stage: Literal["probe"] = "probe"
    min_s: float = Field(5.0, ge=0)
    """Shorter videos are dropped."""
    max_s: float = Field(500.0, gt=0)
    """Longer videos are dropped."""
    max_words: int = Field(200, ge=1)
    """Rows with a longer query are dropped."""
    hears: bool = False
    """The model hears, so queries about sound stay."""
    fingerprint: bool = True
    """Keep eight frames as bits, for the stage `duplicates`."""
    keep_out: tuple[str, ...] = ()
    """Files of rows, or ``reader:path``, of benchmarks; a video whose file name (without suffix) is among theirs is
    dropped."""

    @model_validator(mode="after")
    def _keeps_something(self) -> Probe:
        """Refuse limits between which no video lies."""
        if self.min_s > self.max_s:
            raise ValueError(f"min_s {self.min_s:g} is above max_s {self.max_s:g}, so no video would be kept")
        return self

    @cached_property
    def test_names(self) -> frozenset[str]:
        """Return the file names, without suffix, of the benchmarks' videos."""
        return frozenset(Path(row.video).stem for source in self.keep_out for row in rows_of(source))

    def files(self) -> list[Path]:
        """Return the benchmarks' files."""
        return [Path(source if Path(source).exists() else source.partition(":")[2]) for source in self.keep_out]

    def run(self, item: Item, tools: Tools) -> None:
        """Measure and filter."""
        if Path(item.video).stem in self.test_names:
            item.drop_all(self.stage, "test", "the video is in a benchmark's test set")
            return
        info = probe(tools.path(item.video), tools.folder_fps)
        item.facts |= {
            "duration_s": info.duration_s,
            "fps": round(info.fps, 4),
            "width": info.width,
            "height": info.height,
            "has_audio": info.has_audio,
        }
        if not self.min_s <= info.duration_s <= self.max_s:
            kept = f"{self.min_s:g} to {self.max_s:g} s are kept"
            item.drop_all(self.stage, "duration", f"the video lasts {info.duration_s:.1f} s; {kept}")
            return
        if self.fingerprint:
            item.facts["fingerprint"] = fingerprint(tools.clip(item.video, LOOK))
        for row in item.rows:
            _measure(row, info.duration_s)
        item.drop_where(self._too_long, self.stage, "words")
        if not self.hears:
            item.drop_where(_about_sound, self.stage, "sound")

    def _too_long(self, row: Row) -> str | None:
        """Return what is wrong with a query of too many words."""
        words = len(row.query.split())
        return f"the query has {words} words; at most {self.max_words} are kept" if words > self.max_words else None


def rows_of(source: str) -> list[Row]:
    """Return the rows of a file, or of ``reader:path``."""
    reader, sign, path = source.partition(":")
    try:
        return list(read(reader, path) if sign and not Path(source).exists() else read_rows(source))
    except UserError as error:
        raise UserError(f"keep_out: {error}") from None


def fingerprint(clip: Clip) -> str:
    """Return a difference hash of each frame (64 bits: is a pixel brighter than the next), as hexadecimal text."""
    from PIL import Image

    bits = []
    for frame in clip.frames[:FINGERPRINT_FRAMES]:
        grey = Image.fromarray(frame.permute(1, 2, 0).contiguous().numpy()).convert("L")
        pixels = np.asarray(grey.resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
        bits.append((pixels[:, 1:] > pixels[:, :-1] + 1).ravel())
    return np.packbits(np.concatenate(bits)).tobytes().hex()


def _measure(row: Row, duration_s: float) -> None:
    """Take the measured length where the published one is off or missing."""
    if abs(row.duration - duration_s) <= CLOSE_S:
        return
    published = "none" if row.duration == MEASURED_LATER_S else f"{row.duration:.2f} s"
    note(row, "probe", "duration", f"published: {published}, measured: {duration_s:.2f} s")
    row.duration = duration_s


def _about_sound(row: Row) -> str | None:
    """Return what is wrong with a query about sound."""
    found = SOUND.search(row.query)
    return f"the query is about sound ({found[0]!r}), which the model cannot hear" if found else None
