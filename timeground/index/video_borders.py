"""Event borders of a video alone, without an index: read window by window at a size that borders need."""

from __future__ import annotations

import torch

from timeground.index.borders import BORDER_FPS, SIDE, BorderSettings, find_borders, observe
from timeground.index.build import parts
from timeground.index.scorer import NO_LIMIT
from timeground.media.sampling import Sampling
from timeground.media.video import Video

FACTOR = 8
SMALL = Sampling(BORDER_FPS, (SIDE // FACTOR) ** 2, NO_LIMIT, FACTOR, max_tokens_per_pair=(SIDE // FACTOR) ** 2)


def video_borders(video: Video, settings: BorderSettings | None = None) -> list[float]:
    """Return the times in seconds at which events begin or end. Raise VideoError if the video cannot be read."""
    observed, times_s = [], []
    for window in parts(video.duration_s):
        clip = video.clip(window.start_s, window.end_s, SMALL)
        observed.append(observe(clip.frames))
        times_s.append(clip.frame_times_s)
    found = find_borders(torch.cat(observed).numpy(), torch.cat(times_s).numpy(), settings)
    return [time_s for time_s in found if 0 < time_s < video.duration_s]
