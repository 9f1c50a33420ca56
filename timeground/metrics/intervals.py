"""How far to trust a mean: bootstrap intervals that resample whole videos, alone or paired.

Rows of one video are not independent, so videos are drawn with replacement, each with all its rows (the cluster
bootstrap; Efron & Tibshirani 1993, Cameron et al. 2008). Intervals are percentile intervals. Every call with the same
seed and the same videos draws the same samples, so that numbers repeat and differences are paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

NUM_RESAMPLES = 2000
LEVEL = 0.95
_CHUNK = 200  # resamples at a time: bounds memory at 200 x videos


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its interval, in the unit of the values; ``low`` and ``high`` are None with one video only."""

    estimate: float
    low: float | None
    high: float | None


class ClusterBootstrap:
    """Resamples of one set of rows, drawn once and used for every metric of it.

    clusters: the cluster (video) of each row. ValueError without rows.
    """

    def __init__(self, clusters: Sequence[str], num_resamples: int = NUM_RESAMPLES, seed: int = 0) -> None:
        if not len(clusters):
            raise ValueError("there are no rows to resample")
        _, self._cluster_of = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
        self.num_clusters = int(self._cluster_of.max()) + 1
        self._num_resamples, self._seed = num_resamples, seed

    def means(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Mean of each resample: ``[rows]`` gives ``[num_resamples]``, ``[metrics, rows]`` gives a line a metric.

        A row whose value is NaN has no part in that metric; a resample that holds none of its rows gives NaN.
        """
        table = np.asarray(values, dtype=np.float64)
        lines = np.atleast_2d(table)
        counted = ~np.isnan(lines)
        sums = np.stack([self._per_cluster(line) for line in np.where(counted, lines, 0.0)])
        counts = np.stack([self._per_cluster(line) for line in counted])
        rng = np.random.default_rng(self._seed)
        parts = []
        for start in range(0, self._num_resamples, _CHUNK):
            size = min(_CHUNK, self._num_resamples - start)
            drawn = rng.multinomial(self.num_clusters, np.full(self.num_clusters, 1 / self.num_clusters), size)
            totals = counts @ drawn.T.astype(np.float64)
            means = np.full_like(totals, np.nan)
            np.divide(sums @ drawn.T, totals, out=means, where=totals > 0)
            parts.append(means)
        found = np.concatenate(parts, axis=1)
        return found if table.ndim > 1 else found[0]

    def _per_cluster(self, line: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        return np.bincount(self._cluster_of, line, self.num_clusters).astype(np.float64)

    def interval(self, estimate: float, means: npt.NDArray[np.float64], level: float = LEVEL) -> Interval:
        """The percentile interval of resampled means; resamples without a mean are left out."""
        known = means[~np.isnan(means)]
        if self.num_clusters < 2 or known.size == 0:
            return Interval(estimate, None, None)
        low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
        return Interval(estimate, float(low), float(high))


def bootstrap_interval(
    values: npt.ArrayLike,
    clusters: Sequence[str],
    *,
    level: float = LEVEL,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Mean of the rows with its interval, videos resampled.

    values: one a row, in any unit. clusters: the video of each row. ValueError without rows, or for a NaN.
    """
    rows = np.asarray(values, dtype=np.float64)
    if np.isnan(rows).any():
        raise ValueError("a value is NaN; decide what such a row is worth before averaging")
    bootstrap = ClusterBootstrap(clusters, num_resamples, seed)
    return bootstrap.interval(float(rows.mean()), bootstrap.means(rows), level)


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Mean of B minus mean of A on the same rows, with its interval.

    share_b_better: share of resamples in which B is better (ties count half).
    """

    difference: float
    low: float | None
    high: float | None
    share_b_better: float

    @property
    def can_be_told(self) -> bool:
        """True if the interval leaves out 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def paired_bootstrap(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    clusters: Sequence[str],
    *,
    level: float = LEVEL,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> PairedDifference:
    """Is B better than A on the rows that both answered? Row i of ``a``, ``b`` and ``clusters`` is the same row.

    ValueError without rows, for a NaN, or for lengths that differ.
    """
    left, right = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if left.shape != right.shape:
        raise ValueError(f"A has {left.size} rows and B has {right.size}; pair them first")
    differences = right - left
    found = bootstrap_interval(differences, clusters, level=level, num_resamples=num_resamples, seed=seed)
    means = ClusterBootstrap(clusters, num_resamples, seed).means(differences)
    share = float(np.mean((means > 0) + 0.5 * (means == 0)))
    return PairedDifference(found.estimate, found.low, found.high, share)
