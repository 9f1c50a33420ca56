"""Which few frames to show of many: those that fit what is sought, and not the same picture twice.

Greedy search for the likeliest set of a determinantal point process, whose kernel is relevance times likeness times
relevance (Chen et al. 2018; TimeSearch-R chooses frames so). Unlike published code it takes no frame twice where frames
are equal, and gives evenly spaced frames where relevance tells nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FLOOR = 0.05
"""The least relevance counts so much of the highest: diversity can still choose it."""
LEAST_GAIN = 1e-4
"""Of the determinant; where no frame adds more, all that is left shows nothing new."""
Floats = npt.NDArray[np.float64]


def choose_frames(
    features_ND: npt.ArrayLike, relevance_N: npt.ArrayLike, k: int, times_s: npt.ArrayLike | None = None
) -> list[int]:
    """Return the numbers of at most k frames, distinct and in order; all where there are no more than k.

    features_ND: a vector for each frame. relevance_N: how well each fits; only the order and the ratio of differences
    count. times_s: of the frames, evenly spaced by default. Raise ValueError for shapes that do not go together, for
    values that are not finite and for a negative k.
    """
    features, relevance = np.asarray(features_ND, dtype=np.float64), np.asarray(relevance_N, dtype=np.float64)
    count = len(relevance)
    times = np.arange(count, dtype=np.float64) if times_s is None else np.asarray(times_s, dtype=np.float64)
    if features.ndim != 2 or relevance.ndim != 1 or not len(features) == count == len(times):
        raise ValueError(f"{features.shape} features, {relevance.shape} relevance and {times.shape} times do not fit")
    if k < 0 or not all(np.isfinite(values).all() for values in (features, relevance, times)):
        raise ValueError("k must not be negative, and features, relevance and times must be finite numbers")
    if k >= count:
        return list(range(count))
    low, high = float(relevance.min()), float(relevance.max())
    if not high > low:
        return _even(times, k)
    weights = np.maximum((relevance - low) / (high - low), FLOOR)
    found = _likeliest(_units(features), weights, k)
    return sorted(_filled(found, times, k))


def _units(features_ND: Floats) -> Floats:
    scale = np.abs(features_ND).max(axis=1, keepdims=True)  # first, so that no square is too large or too small
    scaled = features_ND / np.where(scale > 0, scale, 1.0)
    norms = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(scaled / np.where(norms > 0, norms, 1.0))


def _likeliest(units_ND: Floats, weights_N: Floats, k: int) -> list[int]:
    """Return frames, each the one that makes the determinant of the chosen largest, while one adds to it.

    One row of the Cholesky factor is added for each.
    """
    gains = weights_N**2 * (units_ND**2).sum(axis=1)
    rows = np.zeros((k, len(weights_N)))
    found: list[int] = []
    while len(found) < k:
        best = int(gains.argmax())
        if gains[best] < LEAST_GAIN:
            break
        kernel_N = weights_N[best] * weights_N * (units_ND @ units_ND[best])
        done = rows[: len(found)]
        row = (kernel_N - done[:, best] @ done) / np.sqrt(gains[best])
        rows[len(found)] = row
        gains = gains - row**2
        found.append(best)
        gains[found] = -np.inf
    return found


def _filled(found: Sequence[int], times_s: Floats, k: int) -> list[int]:
    """Return frames with others added, each time the one that is farthest in time from all that were taken."""
    chosen = list(found)
    if not chosen:
        return _even(times_s, k)
    far = np.abs(times_s[:, None] - times_s[chosen]).min(axis=1)
    far[chosen] = -1.0
    while len(chosen) < k:
        best = int(far.argmax())
        chosen.append(best)
        far = np.minimum(far, np.abs(times_s - times_s[best]))
        far[chosen] = -1.0
    return chosen


def _even(times_s: Floats, k: int) -> list[int]:
    """Return k frames in the middles of k equal parts of them."""
    return [int((2 * number + 1) * len(times_s) / (2 * k)) for number in range(k)]
