"""Clips of known times, as files and as frames, and the ways in which users hand them to a processor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from timeground.doctor.pattern import MILLISECOND, Times, clock_picture, encode_clock, variable_times_ms

Way = Literal["path", "path, fps", "frames, metadata", "frames, fps", "frames"]
WAYS: tuple[Way, ...] = get_args(Way)
RATES = {"24": Fraction(24), "25": Fraction(25), "29.97": Fraction(30000, 1001), "30": Fraction(30), "60": Fraction(60)}
SIDE = 112  # pixels: whole patches of 14 and 28, for those who do not resize
DURATION_S = 10
PICKED_FPS = 2.5  # of the frames that a user takes out of a file of 10 s; nobody's default
LATE_S = 5  # the first frame of the late clip is shown at this time; its sound starts at 0
VARIABLE, LATE, HOUR = "variable rate", "starts at 5 s", "1 h"
HOUR_S, HOUR_FRAMES, HOUR_SIDE = 3600, 64, 56
HOUR_SLOWNESS = 30  # the clock counts to 131 s: it runs slower to reach an hour, and shows it to 30 ms


@dataclass(frozen=True)
class TimedClip:
    """A file of clock frames, and some of its frames as a user takes them out."""

    name: str
    path: Path | None
    """None where there is no file, but metadata that claim one."""
    frames_TCHW: Tensor
    times_s: Times
    """When each of the frames is shown, float64 ``[T]``."""
    indices: tuple[int, ...]
    """Which of the file's frames they are."""
    file_times_s: Times
    """When each frame of the whole file is shown."""
    fps: float
    """The mean rate, as a header has it."""
    slowness: int = 1
    """How many seconds pass while the clock in the pictures counts one."""

    @property
    def picked_fps(self) -> float:
        """Return the rate of the frames that were taken out."""
        return round((len(self.times_s) - 1) / float(self.times_s[-1] - self.times_s[0]), 6)

    def counted_s(self, times_s: Sequence[float]) -> list[float]:
        """Return frame number / mean rate of the frames that are shown at some times."""
        after = np.searchsorted(self.file_times_s, times_s).clip(1, len(self.file_times_s) - 1)
        is_before = times_s - self.file_times_s[after - 1] < self.file_times_s[after] - times_s
        return ((after - is_before) / self.fps).tolist()  # type: ignore[no-any-return]

    def arguments(self, way: Way) -> dict[str, Any]:
        """Return the arguments with which a processor is called in one way."""
        from transformers.video_utils import VideoMetadata

        if way == "path":
            return {"videos": [str(self.path)]}
        if way == "path, fps":
            return {"videos": [str(self.path)], "fps": self.picked_fps, "do_sample_frames": True}
        given: dict[str, Any] = {"videos": [self.frames_TCHW.clone()], "do_sample_frames": False}
        if way == "frames, fps":
            given["fps"] = self.picked_fps
        if way == "frames, metadata":
            num_frames = len(self.file_times_s)
            given["video_metadata"] = VideoMetadata(
                total_num_frames=num_frames,
                fps=self.fps,
                duration=num_frames / self.fps,
                frames_indices=list(self.indices),
            )
        return given


def write_clips(folder: Path) -> list[TimedClip]:
    """Return the clips; those that are files are written into a folder."""
    clips = [
        _written(f"{name} fps", folder, range(DURATION_S * round(fps)), 1 / fps, SIDE) for name, fps in RATES.items()
    ]
    first = LATE_S * 30
    clips += [
        _written(VARIABLE, folder, variable_times_ms(), MILLISECOND, SIDE),
        _written(LATE, folder, range(first, first + DURATION_S * 30), Fraction(1, 30), SIDE),
        _written(HOUR, folder, range(HOUR_S), Fraction(1), HOUR_SIDE, HOUR_SLOWNESS),
    ]
    return clips + [_claimed_hour(name, fps) for name, fps in RATES.items()]


def clips_of(way: Way, clips: Sequence[TimedClip], samples_paths: bool) -> list[TimedClip]:
    """Return the clips that are worth handing over in one way.

    samples_paths: whether the processor takes a sample of a file if nothing is said. One that does not would be
    handed every frame of an hour, which fills the memory and shows nothing that ten seconds do not.
    """
    is_meant: dict[Way, Callable[[TimedClip], bool]] = {
        "path": lambda clip: clip.path is not None and (samples_paths or clip.name != HOUR),
        "path, fps": lambda clip: clip.path is not None and clip.name in ("30 fps", VARIABLE, LATE, HOUR),
        "frames, metadata": lambda clip: clip.name != HOUR,
        "frames, fps": lambda clip: clip.name in ("30 fps", HOUR),
        "frames": lambda clip: clip.name in ("30 fps", HOUR),
    }
    return [clip for clip in clips if is_meant[way](clip)]


def _written(name: str, folder: Path, ticks: Sequence[int], tick: Fraction, side: int, slowness: int = 1) -> TimedClip:
    """Write a file and take frames out of it: so many a second, or a fixed number of an hour."""
    path = folder / f"{name.replace(' ', '_')}.mp4"
    encode_clock(path, ticks, tick, side, side, slowness, has_sound=name == LATE)
    times_s = np.array([float(moment * tick) for moment in ticks])
    span_s = float(times_s[-1] - times_s[0])
    step_s = HOUR_S / HOUR_FRAMES if slowness > 1 else 1 / PICKED_FPS
    wanted_s = times_s[0] + np.arange(0, span_s + 1e-9, step_s)
    indices = (np.searchsorted(times_s, wanted_s + 1e-9, side="right") - 1).tolist()
    fps = (len(times_s) - 1) / span_s if name == VARIABLE else float(1 / tick)
    picked_s = times_s[indices]
    return TimedClip(name, path, _pictures(picked_s, side, slowness), picked_s, tuple(indices), times_s, fps, slowness)


def _claimed_hour(name: str, fps: Fraction) -> TimedClip:
    """Return frames of an hour at a rate: there is no file of it, but a processor cannot know."""
    file_times_s = np.arange(HOUR_S * round(fps)) / float(fps)
    indices = tuple(k * len(file_times_s) // HOUR_FRAMES for k in range(HOUR_FRAMES))
    times_s = file_times_s[list(indices)]
    frames = _pictures(times_s, HOUR_SIDE, HOUR_SLOWNESS)
    return TimedClip(f"{HOUR} at {name} fps", None, frames, times_s, indices, file_times_s, float(fps), HOUR_SLOWNESS)


def _pictures(times_s: Times, side: int, slowness: int) -> Tensor:
    """Return the clock's pictures, uint8 ``[T, 3, side, side]``."""
    pictures = [clock_picture(time_s / slowness, side, side) for time_s in times_s.tolist()]
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
