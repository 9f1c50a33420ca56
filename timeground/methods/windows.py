"""The method of windows: every part of the video is looked at, and the best answer of all is taken.

It costs the most, and is what searching is measured against.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from timeground.data.rows import Row
from timeground.media.sampling import Sampling
from timeground.methods.base import Look, Outcome, Trace
from timeground.methods.direct import Direct
from timeground.methods.findings import Finding, best_of, look_into
from timeground.methods.many_looks import ManyLooks
from timeground.models.sampling import SampleSpec
from timeground.spans import Span

HARDLY_LONGER = 1.25
OVERLAP = 0.5
"""How much of a window the next one shows again: what lies on a border is whole in one of them."""


def window_length_s(model_window_s: float | None, sampling: Sampling) -> float:
    """Return how long a window a model is shown: as its profile says, else while frames come at full rate."""
    if model_window_s is not None:
        return model_window_s
    return max(2.0, 2 * sampling.total_tokens / (sampling.min_tokens_per_pair * sampling.fps))


def is_one(extent: Span, length_s: float) -> bool:
    """Return whether a part is so short, or hardly longer than a window, that one window shows it."""
    return extent.length_s <= HARDLY_LONGER * length_s


def cover(extent: Span, length_s: float, overlap: float = OVERLAP) -> list[Span]:
    """Return windows of one length that cover a part of a file, in order, the last one ending with it.

    Each shares at least `overlap` of its length with the next. What is hardly longer than a window is one.
    """
    if is_one(extent, length_s):
        return [extent]
    count = 1 + math.ceil((extent.length_s - length_s) / (length_s * (1 - overlap)) - 1e-9)
    step_s = (extent.length_s - length_s) / (count - 1)
    starts_s = [extent.start_s + number * step_s for number in range(count)]
    return [Span(start_s, min(start_s + length_s, extent.end_s)) for start_s in starts_s]


class Windows(ManyLooks):
    """Every window, and the best answer; rows share each window's prefix."""

    name = "windows"

    @property
    def windows(self) -> list[Span]:
        """Return the windows that are looked at."""
        return cover(self.extent, window_length_s(self.model.profile.window_s, self.sampling))

    def answers(self, rows: Sequence[Row], spec: SampleSpec | None = None) -> list[list[Outcome]]:
        """Return `spec.num_answers` outcomes for each row; the n-th is made of the n-th samples of all windows."""
        found: list[list[list[Finding]]] = []
        looks = []
        for window in self.windows:
            with Direct(self.model, self.video, window, self.prompts, self.sampling) as look:
                found.append(look_into(look, rows, spec))
                looks.append(look.look)
                self.on_look(look.look)
        return [
            [self._outcome(row, samples, looks) for samples in zip(*(one[number] for one in found), strict=True)]
            for number, row in enumerate(rows)
        ]

    def _outcome(self, row: Row, findings: Sequence[Finding], looks: Sequence[Look]) -> Outcome:
        answer, confidence, best = best_of(row, findings, self.prompts, self.model.profile.search)
        self.best_window[row.id] = best.window
        others = [one for one in findings if one is not best]
        seen = tuple(one.of(look) for look, one in zip(looks, findings, strict=True))
        return Outcome(
            answer,
            confidence,
            tuple(trajectory for one in (best, *others) for trajectory in one.outcome.trajectories),
            Trace(seen, num_calls=sum(one.num_calls for one in findings)),
        )
