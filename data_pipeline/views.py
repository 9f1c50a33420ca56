"""Views of a video: as it is, mirrored left to right, played backwards, or both. A model's errors differ between them.

A query is worded for the view, and spans come back in the times of the video itself. So one model gives passes that
depend less on each other than its samples do: test-time augmentation, with the arrow of time as one of its axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from timeground.data.rows import Row
from timeground.media.clip import Clip
from timeground.media.sampling import Sampling
from timeground.media.video import Video
from timeground.spans import Span, mirror_all

from .language.turning import mirrored_query, reversed_query


class View(StrEnum):
    """How a clip is shown to a model."""

    PLAIN = "plain"
    MIRRORED = "mirrored"
    REVERSED = "reversed"
    BOTH = "mirrored-reversed"

    @property
    def is_mirrored(self) -> bool:
        """Return whether left and right change places."""
        return self in (View.MIRRORED, View.BOTH)

    @property
    def is_reversed(self) -> bool:
        """Return whether time runs backwards."""
        return self in (View.REVERSED, View.BOTH)

    def show(self, clip: Clip) -> Clip:
        """Return the clip as this view has it."""
        if self.is_mirrored:
            clip = replace(clip, frames=clip.frames.flip(-1))
        return clip.reversed() if self.is_reversed else clip

    def of(self, video: Video, window: Span | None, sampling: Sampling) -> Video:
        """Return a video as this view has it; of one that is changed only the frames of the window are there."""
        return video if self is View.PLAIN else Video.of(self.show(video.part(window, sampling)))

    def word(self, row: Row) -> str | None:
        """Return the row's query for this view; None where no rule tells what it becomes."""
        query: str | None = row.query
        if self.is_reversed:
            query = row.mirrored_query or reversed_query(row.query, row.direction)
        return mirrored_query(query) if query and self.is_mirrored else query

    def turn(self, spans: Sequence[Span], extent: Span) -> list[Span]:
        """Return spans of the video in the times of this view, or the other way round. extent: the part meant."""
        return mirror_all(spans, extent.start_s, extent.end_s) if self.is_reversed else list(spans)
