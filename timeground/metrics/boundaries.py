"""Event borders against true ones: F1 with one-to-one matching, beside what evenly spaced borders reach.

Where borders are frequent, cutting every second or two scores high; a figure without that baseline says little.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from timeground.spans import Span

SPACINGS_S = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 60.0)
"""Of evenly spaced borders, among which the best is taken."""
TOLERANCE_S = 0.5


@dataclass(frozen=True)
class Truth:
    """The borders of one video."""

    borders_s: tuple[float, ...]
    """In order; the video's own ends are none."""
    duration_s: float
    events: tuple[Span, ...] = ()
    """What happens; a border within one cuts it in two."""

    @classmethod
    def of_events(cls, events: Sequence[Span], duration_s: float, tolerance_s: float = TOLERANCE_S) -> Truth:
        """Return the starts and ends of events as borders, each once, but not those within tolerance of the ends."""
        times = sorted({t for span in events for t in span.to_list() if tolerance_s < t < duration_s - tolerance_s})
        return cls(tuple(times), duration_s, tuple(events))


@dataclass(frozen=True)
class BoundaryScore:
    """How good the borders of a set of videos are; `str` shows it beside the best even spacing."""

    precision: float
    recall: float
    f1: float
    uniform_f1: float
    """Of the even spacing that is best for these videos."""
    uniform_spacing_s: float
    events_cut: float
    """The share of true events that have a border inside, further than the tolerance from both ends."""
    uniform_events_cut: float
    """The same of the best even spacing."""
    tolerance_s: float

    def __str__(self) -> str:
        return (
            f"F1 at {self.tolerance_s:g} s {self.f1:.3f} (precision {self.precision:.3f}, recall {self.recall:.3f}); "
            f"best even spacing, every {self.uniform_spacing_s:g} s: {self.uniform_f1:.3f}; "
            f"events cut in two {self.events_cut:.3f} (even spacing {self.uniform_events_cut:.3f})"
        )


def num_matched(found_s: Sequence[float], true_s: Sequence[float], tolerance_s: float) -> int:
    """Return how many borders can be paired with a true one at most so far off, each with one only.

    Both are in order; taking the earliest pair that fits is then the best matching. A rounding error is forgiven.
    """
    matched = here = there = 0
    while here < len(found_s) and there < len(true_s):
        off_s = found_s[here] - true_s[there]
        if abs(off_s) <= tolerance_s + 1e-9:
            matched += 1
        here += off_s <= tolerance_s + 1e-9
        there += off_s >= -tolerance_s - 1e-9
    return matched


def boundary_score(
    found_s: Sequence[Sequence[float]], truths: Sequence[Truth], tolerance_s: float = TOLERANCE_S
) -> BoundaryScore:
    """Return the score of the borders of each video, all of them counted together.

    Raise ValueError where there are not as many videos as truths.
    """
    precision, recall, f1 = _counted(found_s, truths, tolerance_s)
    even = {spacing: [spaced(truth.duration_s, spacing) for truth in truths] for spacing in SPACINGS_S}
    best = max(SPACINGS_S, key=lambda spacing: _counted(even[spacing], truths, tolerance_s)[2])
    return BoundaryScore(
        precision,
        recall,
        f1,
        _counted(even[best], truths, tolerance_s)[2],
        best,
        cut_share(found_s, truths, tolerance_s),
        cut_share(even[best], truths, tolerance_s),
        tolerance_s,
    )


def spaced(duration_s: float, spacing_s: float) -> list[float]:
    """Return evenly spaced borders of a video, none at its ends."""
    return [number * spacing_s for number in range(1, math.ceil(duration_s / spacing_s - 1e-9))]


def cut_share(found_s: Sequence[Sequence[float]], truths: Sequence[Truth], tolerance_s: float = TOLERANCE_S) -> float:
    """Return the share of events with a border inside, further than the tolerance from both ends; 0 without events."""
    cut = [
        any(event.start_s + tolerance_s < time_s < event.end_s - tolerance_s for time_s in borders)
        for borders, truth in zip(found_s, truths, strict=True)
        for event in truth.events
    ]
    return sum(cut) / len(cut) if cut else 0.0


def _counted(
    found_s: Sequence[Sequence[float]], truths: Sequence[Truth], tolerance_s: float
) -> tuple[float, float, float]:
    """Return precision, recall and F1; where nothing is found and nothing is true, all are 1."""
    pairs = list(zip(found_s, truths, strict=True))
    matched = sum(num_matched(sorted(borders), truth.borders_s, tolerance_s) for borders, truth in pairs)
    num_found, num_true = sum(len(borders) for borders, _ in pairs), sum(len(truth.borders_s) for _, truth in pairs)
    if not num_found and not num_true:
        return 1.0, 1.0, 1.0
    return matched / max(num_found, 1), matched / max(num_true, 1), 2 * matched / (num_found + num_true)
