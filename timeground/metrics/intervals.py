"""How far to trust a mean, and a difference of two: 95 % intervals that hold with few videos, too.

Rows of one video are not independent, so whole videos are left out in turn (the jackknife by cluster) to see how far a
number moves; the quantile is Student's t. What a simulation (``benchmarks/interval_coverage.py``) showed to be needed:

* A mean of values between two bounds gets Wilson's score interval (1927) at the effective number of rows that the
  jackknife implies, as survey statistics do (Korn & Graubard 1998): it stays within the bounds and leans to the middle.
* Two pretended videos, one all worst and one all best, each of a quarter of a usual video's rows, keep an interval from
  closing where all videos agree. A variance under a third of what independent rows would have, or one where all rows
  agree, is taken for chance, and theirs counts.
* A difference counts as many videos as there effectively are (Kish 1965): one video with most of the rows is one.

Nothing is drawn at random, so numbers repeat.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEVEL = 0.95
PERCENT = (0.0, 100.0)
FEW_VIDEOS = 20
"""Below so many videos an interval is wide and rests on assumptions; say so."""
_PRETENDED = 0.25  # rows of each pretended video, as a share of the mean video's
_BELIEVED = 0.3  # share of independent rows' variance, below which a mean's own estimate is not believed
_AT_LEAST = 0.5  # share of the same, below which the variance of a difference is not taken to be
_NO_DIFFERENCE = 1e-9  # of the bounds' distance: what rounding can do
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its interval, in the unit of the values; ``low`` and ``high`` are None with one video only."""

    estimate: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Mean of B minus mean of A on the same rows, with its interval."""

    difference: float
    low: float | None
    high: float | None
    all_equal: bool = False
    """No row differs."""

    @property
    def can_be_told(self) -> bool:
        """Return True if the interval leaves out 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def few_videos_note(num_videos: int) -> str | None:
    """Return what to say beside an interval of few videos; None where there are enough."""
    if num_videos >= FEW_VIDEOS:
        return None
    return f"only {num_videos} videos: below {FEW_VIDEOS} an interval is wide and rests on assumptions; add videos"


class Clusters:
    """The videos of a set of rows, found once and used for every metric of it.

    clusters: the cluster (video) of each row. ValueError without rows.
    """

    def __init__(self, clusters: Sequence[str]) -> None:
        if not len(clusters):
            raise ValueError("there are no rows to average")
        _, self._cluster_of = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
        self.num_clusters = int(self._cluster_of.max()) + 1

    def interval(
        self, values: npt.ArrayLike, *, bounds: tuple[float, float] = PERCENT, level: float = LEVEL
    ) -> Interval:
        """Return the interval of a mean, or of the mean of several groups' means.

        values: one a row between the bounds; or a line a group, ``[groups, rows]``. NaN: the row has no part in it.
        Raise ValueError where nothing has.
        """
        low, high = bounds
        lines = (np.atleast_2d(np.asarray(values, dtype=np.float64)) - low) / (high - low)
        lines = lines[~np.isnan(lines).all(axis=1)]
        if not len(lines):
            raise ValueError("no row has a value to average")
        sums, counts, squares = self._per_cluster(lines)
        estimate = float((sums.sum(axis=1) / counts.sum(axis=1)).mean())
        num_clusters = counts.shape[1]
        if num_clusters < 2:
            return Interval(low + estimate * (high - low), None, None)
        all_agree = bool(_spread(sums, counts, squares).max() <= _NO_DIFFERENCE)
        pretended = _PRETENDED * counts.mean(axis=1, keepdims=True)
        sums, squares = (np.hstack([table, 0 * pretended, pretended]) for table in (sums, squares))
        counts = np.hstack([counts, pretended, pretended])
        shrunk, variance = _jackknife(sums, counts, num_clusters)
        independent = float((_spread(sums, counts, squares) / counts.sum(axis=1)).sum()) / len(lines) ** 2
        if variance < _BELIEVED * independent or all_agree:
            variance = max(variance, independent)
        num_effective = max(1.0, shrunk * (1 - shrunk) / variance)
        ends = _wilson(estimate, num_effective, _t(level, num_clusters - 1))
        return Interval(low + estimate * (high - low), *(low + end * (high - low) for end in ends))

    def _per_cluster(self, lines: Floats) -> tuple[Floats, Floats, Floats]:
        """Return sums, numbers of rows and sums of squares, ``[groups, clusters]``, of the clusters that have rows."""
        known = ~np.isnan(lines)
        filled = np.where(known, lines, 0.0)
        tables = [
            np.stack([np.bincount(self._cluster_of, line, self.num_clusters).astype(np.float64) for line in table])
            for table in (filled, known, filled**2)
        ]
        there = tables[1].sum(axis=0) > 0
        return tables[0][:, there], tables[1][:, there], tables[2][:, there]


def mean_interval(
    values: npt.ArrayLike, clusters: Sequence[str], *, bounds: tuple[float, float] = PERCENT, level: float = LEVEL
) -> Interval:
    """Return the mean of the rows with its interval.

    values: one a row, between the bounds. clusters: the video of each row. Raise ValueError without rows, for a NaN, or
    for a value out of bounds.
    """
    rows = np.asarray(values, dtype=np.float64)
    if np.isnan(rows).any():
        raise ValueError("a value is NaN; decide what such a row is worth before averaging")
    if rows.size and not bounds[0] <= rows.min() <= rows.max() <= bounds[1]:
        raise ValueError(f"values lie between {rows.min()} and {rows.max()}; give their bounds (now {bounds})")
    return Clusters(clusters).interval(rows, bounds=bounds, level=level)


def paired_difference(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    clusters: Sequence[str],
    *,
    bounds: tuple[float, float] = PERCENT,
    level: float = LEVEL,
) -> PairedDifference:
    """Return by how much B is better than A on the rows that both answered, with the interval of that.

    Row i of ``a``, ``b`` and ``clusters`` is the same row.

    bounds: of the values; the interval lies within what a difference can be. Where no row differs it says how large a
    difference would still go unseen. Raise ValueError without rows, for a NaN, or for lengths that differ.
    """
    left, right = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if left.shape != right.shape:
        raise ValueError(f"A has {left.size} rows and B has {right.size}; pair them first")
    changes = right - left
    if np.isnan(changes).any():
        raise ValueError("a value is NaN; decide what such a row is worth before averaging")
    (sums,), (counts,), (squares,) = Clusters(clusters)._per_cluster(np.atleast_2d(changes))
    difference, num_clusters, span = float(changes.mean()), len(counts), bounds[1] - bounds[0]
    all_equal = bool(np.abs(changes).max() <= _NO_DIFFERENCE * span)
    if num_clusters < 2:
        return PairedDifference(difference, None, None, all_equal)
    if all_equal:
        t = _t(level, num_clusters - 1)
        unseen = span * t**2 / (num_clusters + t**2)  # Wilson's upper end for "no video of so many differs"
        return PairedDifference(0.0, -unseen, unseen, True)
    _, variance = _jackknife(sums[None], counts[None], num_clusters)
    variance = max(variance, _AT_LEAST * float(squares.sum()) / float(counts.sum()) ** 2)
    num_effective = float(counts.sum() ** 2 / (counts**2).sum())
    half = _t(level, max(1.0, num_effective - 1)) * math.sqrt(variance)
    return PairedDifference(difference, max(-span, difference - half), min(span, difference + half))


def _spread(sums: Floats, counts: Floats, squares: Floats) -> Floats:
    """Return the variance of the rows of each group."""
    rows = counts.sum(axis=1)
    return np.asarray(squares.sum(axis=1) / rows - (sums.sum(axis=1) / rows) ** 2)


def _jackknife(sums: Floats, counts: Floats, num_clusters: int) -> tuple[float, float]:
    """Return the mean of the groups' means and its variance, each cluster left out in turn; ``[groups, clusters]``."""
    totals, rows = sums.sum(axis=1, keepdims=True), counts.sum(axis=1, keepdims=True)
    remaining = rows - counts
    whole = np.broadcast_to(totals / rows, sums.shape).copy()  # stays where a group has all its rows in one cluster
    without = np.divide(totals - sums, remaining, out=whole, where=remaining > 0)
    mean = float((totals / rows).mean())
    return mean, (num_clusters - 1) / num_clusters * float(((without.mean(axis=0) - mean) ** 2).sum())


def _wilson(share: float, num_rows: float, t: float) -> tuple[float, float]:
    """Return Wilson's interval of a share of so many independent rows, in [0, 1]."""
    k = t * t / num_rows
    centre = (share + k / 2) / (1 + k)
    half = math.sqrt(max(0.0, share * (1 - share)) * k + k * k / 4) / (1 + k)
    return max(0.0, centre - half), min(1.0, centre + half)


def _t(level: float, degrees: float) -> float:
    """Return Student's quantile of a two-sided interval."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1 + level) / 2))
