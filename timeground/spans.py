"""Spans of time and what can be measured on them. Pure Python; every number is in seconds.

A span is half-open: ``[start_s, end_s)``. Three kinds of input are unusual, and each has one meaning here:

* **Zero length** (``start_s == end_s``): allowed; it holds no instant, so its IoU with everything is 0.
* **Reversed** (``start_s > end_s``): allowed, so that an answer can carry what a model said. It has
  length 0 and IoU 0 with everything (the strict convention); ``.ordered()`` gives the lenient reading.
* **NaN, infinite, or beyond ``MAX_TIME_S``**: refused with ``ValueError`` when the span is made. Because
  of this no function here returns NaN.

Sets of spans: an empty *list* says "it does not happen". A list that holds only spans without length is a
claim that covers nothing, which is not the same: two empty lists agree (IoU 1), anything else without
support scores 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

MAX_TIME_S = 1e12
"""Largest time a span may hold (about 30,000 years); keeps sums and differences far from overflow."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open span ``[start_s, end_s)`` in seconds; a value that is not usable raises ValueError."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        """Store floats, refuse what is not finite."""
        for name in ("start_s", "end_s"):
            value = getattr(self, name)
            if not abs(value) <= MAX_TIME_S:  # also true for NaN
                raise ValueError(f"{name} must be a finite number of seconds up to {MAX_TIME_S:g}, got {value}")
            object.__setattr__(self, name, float(value))

    @property
    def is_reversed(self) -> bool:
        """Return True if the start comes after the end."""
        return self.start_s > self.end_s

    @property
    def length_s(self) -> float:
        """Return the length in seconds; 0 for a reversed span."""
        return max(0.0, self.end_s - self.start_s)

    @property
    def centre_s(self) -> float:
        """Return the middle, in seconds."""
        return (self.start_s + self.end_s) / 2

    def ordered(self) -> Span:
        """Return the span with its ends swapped if they are reversed."""
        return Span(self.end_s, self.start_s) if self.is_reversed else self

    def to_list(self) -> list[float]:
        """Return ``[start_s, end_s]``, as data rows store it."""
        return [self.start_s, self.end_s]


def merge(spans: Sequence[Span]) -> list[Span]:
    """Return the support of a set: sorted, overlapping or touching spans joined, spans without length left out."""
    merged: list[Span] = []
    for span in sorted(s for s in spans if s.length_s > 0):
        if merged and span.start_s <= merged[-1].end_s:
            merged[-1] = Span(merged[-1].start_s, max(merged[-1].end_s, span.end_s))
        else:
            merged.append(span)
    return merged


def total_length_s(spans: Sequence[Span]) -> float:
    """Return the length of the support of a set, in seconds: what several spans share counts once."""
    return math.fsum(span.length_s for span in merge(spans))


def iou(a: Span, b: Span) -> float:
    """Return the temporal IoU of two spans, in [0, 1]. Spans that overlap have their hull as union."""
    shared_s = min(a.end_s, b.end_s) - max(a.start_s, b.start_s)
    if a.length_s == 0 or b.length_s == 0 or shared_s <= 0:
        return 0.0
    return shared_s / (max(a.end_s, b.end_s) - min(a.start_s, b.start_s))


def set_iou(pred: Sequence[Span], truth: Sequence[Span]) -> float:
    """Return the IoU of the supports of two sets, in [0, 1] (TimeLens2's tIoU).

    Two empty lists give 1, one empty list gives 0, and so does a support without length.
    """
    if not pred and not truth:
        return 1.0
    union_s = total_length_s([*pred, *truth])
    return min(1.0, shared_length_s(pred, truth) / union_s) if union_s > 0 else 0.0


def shared_length_s(first: Sequence[Span], second: Sequence[Span]) -> float:
    """Return the seconds that two sets share; a set shares exactly its own length with one that covers it."""
    a, b = merge(first), merge(second)
    parts: list[float] = []
    i = j = 0
    while i < len(a) and j < len(b):
        parts.append(max(0.0, min(a[i].end_s, b[j].end_s) - max(a[i].start_s, b[j].start_s)))
        if a[i].end_s <= b[j].end_s:
            i += 1
        else:
            j += 1
    return math.fsum(parts)


def time_aware_iou(pred: Span, truth: Span, duration_s: float) -> float:
    """Return IoU times ``(1 - |start error| / D) * (1 - |end error| / D)``, in [0, 1] (Time-R1, ArrowGEV).

    A factor below 0 counts as 0. Raise ValueError unless ``duration_s`` is positive and finite.
    """
    if not 0 < duration_s < math.inf:
        raise ValueError(f"duration_s must be positive and finite, got {duration_s}")
    start_factor = max(0.0, 1 - abs(pred.start_s - truth.start_s) / duration_s)
    end_factor = max(0.0, 1 - abs(pred.end_s - truth.end_s) / duration_s)
    return iou(pred, truth) * start_factor * end_factor


def generalised_iou(a: Span, b: Span) -> float:
    """Return IoU for spans that overlap, minus gap over hull for those that do not; in [-1, 1] (Rezatofighi 2019).

    A reversed span gives -1, so that turning an answer round never pays. Two equal points give 0.
    """
    if a.is_reversed or b.is_reversed:
        return -1.0
    hull_s = max(a.end_s, b.end_s) - min(a.start_s, b.start_s)
    return (min(a.end_s, b.end_s) - max(a.start_s, b.start_s)) / hull_s if hull_s > 0 else 0.0


def wasserstein_s(pred: Sequence[Span], truth: Sequence[Span]) -> float:
    """Return the temporal Wasserstein distance W1 in seconds: how far mass travels between the two sets (TimeLens2).

    Each set is a uniform density over its support, and W1 is the integral of ``|F_pred - F_truth|`` over
    time. It is computed exactly, as the equal integral of ``|Q_pred - Q_truth|`` over the quantiles, which
    are linear between breakpoints. A set without any length is made of point masses of equal weight, one at
    the centre of each span; beside a span with length, spans without length weigh nothing. Two empty lists
    are at distance 0; one empty list is infinitely far. TimeLens2's reward is
    ``exp(-W1 / total_length_s(truth))``.
    """
    if not pred or not truth:
        return 0.0 if not pred and not truth else math.inf
    a, b = _quantile_pieces(pred), _quantile_pieces(truth)
    levels = sorted({piece.level for piece in (*a, *b)})
    areas: list[float] = []
    i = j = 0
    low = 0.0
    for high in levels:
        left, right = a[i].at(low) - b[j].at(low), a[i].at(high) - b[j].at(high)
        areas.append((high - low) * _mean_abs(left, right))
        i += a[i].level <= high and i + 1 < len(a)
        j += b[j].level <= high and j + 1 < len(b)
        low = high
    return math.fsum(areas)


@dataclass(frozen=True, slots=True)
class _Piece:
    """One linear piece of a quantile function: from (from_level, start_s) to (level, end_s)."""

    start_s: float
    end_s: float
    from_level: float
    level: float

    def at(self, level: float) -> float:
        """Return the time in seconds at a level of the piece."""
        share = (level - self.from_level) / (self.level - self.from_level)
        return self.start_s + share * (self.end_s - self.start_s)


def _quantile_pieces(spans: Sequence[Span]) -> list[_Piece]:
    """Return the quantile function of the uniform density over the support, without pieces too light to count."""
    support = merge(spans)
    weights = [span.length_s for span in support]
    if not support:
        support = [Span(time_s, time_s) for time_s in sorted({span.centre_s for span in spans})]
        weights = [1.0] * len(support)
    total = math.fsum(weights)
    pieces: list[_Piece] = []
    low = 0.0
    for span, reached in zip(support, accumulate(weights), strict=True):
        high = 1.0 if span is support[-1] else min(1.0, reached / total)
        if high > low:
            pieces.append(_Piece(span.start_s, span.end_s, low, high))
            low = high
    return pieces


def _mean_abs(left: float, right: float) -> float:
    """Return the mean of ``|x|`` where x runs linearly from left to right, a change of sign included."""
    spread = abs(left) + abs(right)
    if left * right >= 0:
        return spread / 2
    return (left * (left / spread) + right * (right / spread)) / 2


def mirror(span: Span, start_s: float, end_s: float) -> Span:
    """Return the span as seen when the window ``[start_s, end_s)`` is played backwards."""
    return Span(start_s + end_s - span.end_s, start_s + end_s - span.start_s)


def mirror_all(spans: Sequence[Span], start_s: float, end_s: float) -> list[Span]:
    """Return every span mirrored in the window, in order of time."""
    return sorted(mirror(span, start_s, end_s) for span in spans)


def shifted(spans: Iterable[Span], by_s: float) -> list[Span]:
    """Return the spans so many seconds later, each where it was in the list."""
    return [Span(span.start_s + by_s, span.end_s + by_s) for span in spans] if by_s else list(spans)


def leaves(spans: Iterable[Span], window: Span, slack_s: float = 0.5) -> bool:
    """Return whether a span leaves a window by more than the slack, which what is rounded or shown last may need."""
    low_s, high_s = window.start_s - slack_s, window.end_s + slack_s
    return any(min(s.start_s, s.end_s) < low_s or max(s.start_s, s.end_s) > high_s for s in spans)


def clamp(span: Span, start_s: float, end_s: float) -> Span:
    """Return the span with both ends moved into the window; one that lies outside becomes a point at the edge.

    Raise ValueError if the window is reversed.
    """
    if not start_s <= end_s:
        raise ValueError(f"the window must not be reversed, got {start_s} to {end_s}")
    return Span(min(max(span.start_s, start_s), end_s), min(max(span.end_s, start_s), end_s))
