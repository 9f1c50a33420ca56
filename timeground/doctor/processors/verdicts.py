"""From the times that were told and shown to a verdict: what kind of wrong, not only how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from timeground.doctor.diagnosis import CLOCK_SLACK_S
from timeground.doctor.processors.clips import TimedClip
from timeground.doctor.processors.reading import UNTIMED, Told

Verdict = Literal[
    "ok", "rounding", "drift", "late", "uneven", "wrong default", "wrong", "no time", "not known", "refused"
]
MEANINGS: dict[Verdict, str] = {
    "ok": "right to 0.05 s",
    "rounding": "right to the digit that is written, which is coarser",
    "drift": "the clock runs at a wrong speed",
    "late": "the clock starts at 0 where the file does not",
    "uneven": "frame number / mean rate, where frames are not evenly spaced",
    "wrong default": "no rate was looked at: a built-in one is told",
    "wrong": "wrong in another way",
    "no time": "no time is told",
    "not known": "times may be told, in a way that the doctor cannot read",
    "refused": "the processor raises; its own message stands beside it",
}
FINE_S = 0.05  # what a tenth of a second is rounded by; also more than a frame at any of the rates
EVEN_S = 0.06  # how far from a straight line times may be that are called even
DEFAULT_FPS = (24.0, 2.0, 1.0)
SMALL_DRIFT = 0.05  # a clock that is further off than this is another clock


@dataclass(frozen=True)
class Finding:
    """One way of handing over one clip: what was told, and what that is worth."""

    way: str
    clip: str
    verdict: Verdict
    error_s: float | None = None
    """The largest distance from a told time to the frames beside it."""
    told_s: tuple[float, ...] = ()
    shown_s: tuple[tuple[float, float], ...] = ()
    """First and last frame of each told time's block."""
    note: str = ""


def find(way: str, clip: TimedClip, told: Told) -> Finding:
    """Return what a processor's times of one clip are worth."""
    if not told.times_s:
        return Finding(way, clip.name, "no time" if told.how == UNTIMED else "not known")
    if not told.block:
        counts = f"{len(told.times_s)} times for {len(told.frames_s)} frames"
        return Finding(way, clip.name, "wrong", None, told.times_s, note=counts)
    shown = told.shown_s()
    error_s = _error_s(told.times_s, shown)
    slack_s = CLOCK_SLACK_S * clip.slowness
    if not told.unit_s:  # what can only say an even spacing cannot be closer than the file's frames are
        slack_s = max(slack_s, 1 / clip.fps)
    verdict: Verdict
    if error_s <= FINE_S + slack_s:
        verdict, note = "ok", ""
    elif error_s <= told.unit_s + slack_s:
        verdict, note = "rounding", f"told in steps of {told.unit_s:g} s"
    else:
        verdict, note = _kind(told, clip)
    return Finding(way, clip.name, verdict, error_s, told.times_s, tuple(shown), note)


def _kind(told: Told, clip: TimedClip) -> tuple[Verdict, str]:
    """Return what kind of wrong it is, and its size."""
    allowed_s = told.unit_s + EVEN_S
    counted_s = clip.counted_s(told.frames_s)
    is_counting_wrong = np.abs(np.array(counted_s) - told.frames_s).max() > allowed_s
    if is_counting_wrong and _fits(told, counted_s, allowed_s):
        first_s = float(clip.file_times_s[0])
        return ("late", f"{-first_s:+g} s throughout") if first_s else ("uneven", "frame number / mean rate")
    said, true = np.array(told.times_s), np.array(told.shown_s())[:, 0]
    speed, start_s = np.polyfit(true, said, 1) if len(true) > 1 else (1.0, float(said[0] - true[0]))
    is_line = np.abs(said - start_s - speed * true).max() <= allowed_s
    is_shifted = abs(said[0] - true[0]) > allowed_s
    if is_line and is_shifted and abs(speed - 1) * float(true[-1] - true[0]) <= allowed_s:
        return "late", f"{said[0] - true[0]:+.2f} s throughout"
    if is_line and abs(speed - 1) <= SMALL_DRIFT:
        return "drift", f"{100 * (speed - 1):+.1f} %, {3600 * (speed - 1):+.0f} s in an hour"
    fps = (len(told.frames_s) - 1) / max(1e-9, told.frames_s[-1] - told.frames_s[0])
    for default in DEFAULT_FPS:
        as_if = [k / default for k in range(len(told.frames_s))]
        if abs(default / fps - 1) > SMALL_DRIFT and _fits(told, as_if, allowed_s):
            return "wrong default", f"told as if there were {default:g} frames a second"
    if is_line:
        return "drift", f"a second is told as {speed:.3g} s"
    return "uneven", "told as if evenly spaced"


def _fits(told: Told, frames_s: Sequence[float], allowed_s: float) -> bool:
    """Return whether the told times are those that the frames would have at other times."""
    return _error_s(told.times_s, replace(told, frames_s=tuple(frames_s)).shown_s()) <= allowed_s


def _error_s(said: Sequence[float], shown: Sequence[tuple[float, float]]) -> float:
    """Return the largest distance from a told time to its block; a block's first, last and mean time are all right."""
    pairs = zip(said, shown, strict=True)
    return float(np.nanmax([max(first - time, time - last, 0.0) for time, (first, last) in pairs]))
