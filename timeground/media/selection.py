"""Which of a file's frames stand for the times that are wanted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from timeground.clock import LONG_S, clock
from timeground.errors import UserError
from timeground.media.sampling import Sampling, num_frames, target_times_s

Times = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

WINDOW_SLACK_S = 0.5  # annotated ends are rounded, and often lie a little after the last frame
FAST_TOLERANCE = 0.25  # of the sampling interval: how far a reference frame may be from the time wanted


def check_window(
    start_s: float | None, end_s: float | None, duration_s: float, name: str, *, clamp_end: bool = False
) -> tuple[float, float]:
    """Return the window in seconds, filled in from the file's duration, after checking it.

    An end up to half a second after the file's is cut to it; a later one too, with ``clamp_end``.
    Raise UserError for a window that is not right.
    """
    start = 0.0 if start_s is None else float(start_s)
    end = duration_s if end_s is None else float(end_s)
    if start < 0 or start >= duration_s or (end > duration_s + WINDOW_SLACK_S and not clamp_end):
        raise UserError(
            f"{name}: the window {start:.3f} to {end:.3f} s is not inside the video, which lasts {duration_s:.3f} s"
            + (f" ({clock(duration_s)})" if duration_s >= LONG_S else "")
        )
    if not start < end:  # also catches NaN
        raise UserError(f"{name}: the window must start before it ends, got {start:.3f} to {end:.3f} s")
    return start, min(end, duration_s)


def choose(times_s: Times, start_s: float, end_s: float, sampling: Sampling, name: str) -> Ints:
    """Return numbers of the frames to take from a window, in order; ``times_s``: of all frames, sorted.

    Evenly spaced times from the window's first frame to its last, and for each the nearest frame. Of two
    equally near the one towards the middle of the window is taken, so that the choice is its own mirror
    image. A frame that is the nearest to several of the times (it stands still that long) is taken once. If
    no frame begins within the window, the one that is still standing there is taken.

    Raise UserError if the window lies before the first frame.
    """
    first, last = np.searchsorted(times_s, [start_s, end_s], side="left")
    if first == last:
        if first == 0:
            raise UserError(f"{name}: nothing is shown between {start_s:.3f} and {end_s:.3f} s; widen the window")
        return np.array([first - 1], dtype=np.int64)
    inside = times_s[first:last]
    count = num_frames(end_s - start_s, sampling, len(inside))
    targets = np.array(target_times_s(float(inside[0]), float(inside[-1]), count))
    return np.asarray(np.unique(nearest(inside, targets)) + first, dtype=np.int64)


def choose_reference(times_s: Times, chosen: Ints, is_reference: npt.NDArray[np.bool_]) -> Ints:
    """Return for each chosen frame the nearest that others refer to, if all are near enough; else ``chosen``."""
    references = np.flatnonzero(is_reference)
    if len(chosen) < 2 or len(references) == 0:
        return chosen
    targets = times_s[chosen]
    moved = references[nearest(times_s[references], targets)]
    interval_s = (targets[-1] - targets[0]) / (len(chosen) - 1)
    near = np.abs(times_s[moved] - targets) <= FAST_TOLERANCE * interval_s
    return np.asarray(moved, dtype=np.int64) if near.all() and len(np.unique(moved)) == len(moved) else chosen


def nearest(times_s: Times, targets_s: Times) -> Ints:
    """Return the index of the nearest of the sorted ``times_s`` to each target; a tie goes towards the middle."""
    after = np.clip(np.searchsorted(times_s, targets_s), 1, max(len(times_s) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(times_s) - 1)
    to_before, to_after = targets_s - times_s[before], times_s[after] - targets_s
    tie = np.abs(to_after - to_before) < 1e-6
    middle_s = (times_s[0] + times_s[-1]) / 2
    take_after = np.where(tie, targets_s < middle_s, to_after < to_before)
    return np.asarray(np.where(take_after, after, before), dtype=np.int64)
