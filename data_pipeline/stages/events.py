"""Finds where events begin and end in videos without cuts, and joins them to segments as `shots` does."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Literal

from pydantic import Field

from timeground.index.borders import BorderSettings
from timeground.index.video_borders import video_borders

from ..item import Item
from ..stage import VideoStage
from ..tools import Tools
from .shots import SegmentLengths, segments


class Events(VideoStage):
    """Writes the facts `events` and `segments`, both ``[[start_s, end_s], ...]`` over the whole video."""

    gives = ("facts.events", "facts.segments")
    stage: Literal["events"] = "events"
    least: float = Field(BorderSettings.least, ge=0)
    """How large a change of colours and their motion must be; a lower one finds more borders."""
    apart_s: float = Field(BorderSettings.apart_s, gt=0)
    """Two borders are at least this far apart."""
    segment_s: SegmentLengths = (20.0, 60.0)
    """Segments are events joined (or cut) to between these lengths (TimeLens2: 20 to 60 s)."""

    def run(self, item: Item, tools: Tools) -> None:
        """Look for borders, and join events to segments."""
        video = tools.video(item.video)
        settings = replace(BorderSettings(), least=self.least, apart_s=self.apart_s)
        edges = [0.0, *video_borders(video, settings), video.duration_s]
        item.facts["events"] = [[round(a, 3), round(b, 3)] for a, b in pairwise(edges)]
        item.facts["segments"] = segments(edges, *self.segment_s)
