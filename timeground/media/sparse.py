"""Says so where a video is so long that only few of its frames are looked at."""

from __future__ import annotations

from timeground.clock import LONG_S, clock
from timeground.media.clip import Clip
from timeground.media.sampling import Sampling

SPARSE = 1.5
"""How many times fewer frames than its rate asks for, at least."""


def sparse_note(clip: Clip, sampling: Sampling) -> str | None:
    """Return one sentence where the budget of a sampling left out most frames of a clip; None where it did not.

    It says what was read and what that means: "720 frames of 1:00:00 were read, one every 5 s: ...".
    """
    return sparse_look_note(clip.end_s - clip.start_s, clip.num_frames, sampling)


def sparse_look_note(window_s: float, num_frames: int, sampling: Sampling) -> str | None:
    """Return the `sparse_note` of so many frames of a window of this length."""
    limit = sampling.frame_limit
    if window_s * sampling.fps <= SPARSE * limit or not limit / 2 < num_frames <= limit:
        return None  # nothing was left out: the file has no more frames, or somebody else chose these
    step_s = window_s / num_frames
    of = clock(window_s) if window_s >= LONG_S else f"{window_s:.0f} s"
    every = f"{step_s:.0f} s" if step_s >= 10 else f"{step_s:.1f}".removesuffix(".0") + " s"
    return (
        f"{num_frames} frames of {of} were read, one every {every}, not {sampling.fps:g} a second: what is "
        "shorter may go unseen, and no time is finer than that; a shorter part of the video is looked at closely"
    )
