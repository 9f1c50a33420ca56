"""Measures which times a processor's text carries: a clip with odd times goes in, and what it wrote is read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from timeground.chat.parts import Message
from timeground.chat.profile import Profile
from timeground.media.clip import Clip
from timeground.models.generic.prompts import PromptWriter

PROBE_TIMES_S = (107.37, 111.93, 114.12, 118.58, 121.31, 126.74, 131.06, 137.83)
"""Far from the numbers of frames, and no two a whole number of seconds apart."""
EXACT_S = 0.06
"""What a stamp with one decimal may be off, with a millisecond to spare."""
COARSE_S = 1.01
_TIME = re.compile(r"(?:(\d{1,2}):)?(\d{1,2}):(\d{2}(?:\.\d+)?)|(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class TimeText:
    """What the text between the frames tells of time."""

    resolution_s: float | None
    """How fine it is: 0.1, or 1 where only whole seconds are written; None where no times are."""
    frames_per_stamp: int = 0

    @property
    def is_exact(self) -> bool:
        """Return whether times are written finer than whole seconds."""
        return self.resolution_s is not None and self.resolution_s < 1


NO_TIMES = TimeText(None)


def probe_clip(side: int, num_frames: int = len(PROBE_TIMES_S)) -> Clip:
    """Return a clip of noise at odd times, so that no two of its pictures are alike."""
    noise = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (num_frames, 3, side, side), dtype=torch.uint8, generator=noise)
    times = torch.tensor(PROBE_TIMES_S[:num_frames], dtype=torch.float64)
    return Clip(frames, times, start_s=100.0, end_s=140.0, duration_s=200.0)


def written_times(writer: PromptWriter, profile: Profile, side: int) -> TimeText:
    """Return which times are in the text of a prompt as a profile asks for it."""
    clip = probe_clip(side)
    head = writer.head([Message.of("user", clip)], profile)
    text = writer.tokenizer.decode(
        [i for i in head.ids_L.tolist() if i not in writer.media_ids], skip_special_tokens=False
    )
    return read_times(text + head.before, clip.frame_times_s.tolist())


def read_times(text: str, times_s: Sequence[float]) -> TimeText:
    """Return how finely a text tells the times of frames, one stamp for each or for a group of them."""
    found = list(_numbers_s(text))
    for resolution_s, error_s in ((0.1, EXACT_S), (1.0, COARSE_S)):
        for size in range(1, len(times_s) // 2 + 1):
            groups = [times_s[at : at + size] for at in range(0, len(times_s), size)]
            told = ([group[0] for group in groups], [sum(group) / len(group) for group in groups])
            if any(_in_order(found, expected, error_s) for expected in told):
                return TimeText(resolution_s, size)
    return NO_TIMES


def _numbers_s(text: str) -> Iterator[float]:
    """Yield the times that are written in a text: seconds, mm:ss or hh:mm:ss."""
    for hours, minutes, seconds, plain in _TIME.findall(text):
        yield float(plain) if plain else int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)


def _in_order(found: Sequence[float], expected: Sequence[float], error_s: float) -> bool:
    """Return whether all expected times are among those found, in their order."""
    rest = iter(found)
    return all(any(abs(number - seconds) <= error_s for number in rest) for seconds in expected)
