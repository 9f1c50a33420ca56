"""Which frames a checkpoint's processor would take itself: asked of it, for a short and a very long video."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

RATE = 30.0
SHORT_S, LONG_S = 20, 36000
USUAL_FPS = (0.1, 10.0)
"""What a rate in a processor's settings can mean."""


@dataclass(frozen=True)
class OwnSampling:
    """A processor's own choice of frames; None where it makes none."""

    fps: float | None
    max_frames: int | None


def own_sampling(video_processor: Any) -> OwnSampling:
    """Return the rate and the most frames that a video processor would take."""
    named = [getattr(video_processor, name, None) for name in ("fps", "max_fps")]
    rate = next((float(v) for v in named if isinstance(v, (int, float)) and USUAL_FPS[0] <= v <= USUAL_FPS[1]), None)
    short, most = (_frames_of(video_processor, seconds) for seconds in (SHORT_S, LONG_S))
    if most is None:
        limits = (getattr(video_processor, name, None) for name in ("num_frames", "max_frames", "max_num_frames"))
        return OwnSampling(rate, next((v for v in limits if isinstance(v, int) and v > 0), None))
    if rate is None and short is not None and short < most:
        rate = short / SHORT_S
    return OwnSampling(rate, most)


def _frames_of(video_processor: Any, seconds: int) -> int | None:
    """Return how many frames of a video it takes; None where it cannot choose, or takes them all."""
    from transformers.video_utils import VideoMetadata

    total = round(seconds * RATE)
    metadata = VideoMetadata(total_num_frames=total, fps=RATE, duration=float(seconds))
    try:
        wanted = inspect.signature(video_processor.sample_frames).parameters
        settings = {name: getattr(video_processor, name) for name in wanted if hasattr(video_processor, name)}
        found = len(video_processor.sample_frames(metadata=metadata, **settings))
    except Exception:  # settings that name neither a rate nor a number make them fail in ways of their own
        return None
    return found if found < total else None
