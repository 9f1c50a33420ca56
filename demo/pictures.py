"""Pictures for the page: the strip under a timeline, and the frames a model was given. All as data URIs."""

from __future__ import annotations

import base64
import io
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from timeground.chat.layout import TextSegment
from timeground.chat.profile import Profile
from timeground.media import video as media
from timeground.media.clip import Clip
from timeground.media.decode import decode
from timeground.media.sampling import Sampling

from .examples import Example
from .videos import Video

NUM_THUMBNAILS = 10
THUMBNAIL_SIDE, MODEL_FRAME_SIDE = 200, 160
MAX_SHOWN_FRAMES = 240


def jpeg(frame: torch.Tensor, side: int) -> str:
    """Return a frame (uint8 ``[3, H, W]``) as a data URI, at most `side` pixels wide or high."""
    image = Image.fromarray(frame.permute(1, 2, 0).contiguous().numpy())
    image.thumbnail((side, side))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()


@lru_cache(maxsize=32)
def strip(video: Video) -> tuple[dict[str, Any], ...]:
    """Return evenly spread frames with their true times."""
    sampling = Sampling(
        factor=4, min_tokens_per_pair=600, max_tokens_per_pair=1800, total_tokens=10**6, max_frames=4 * NUM_THUMBNAILS
    )
    clip = decode(video.path, sampling, fast=True)
    slot_s = (clip.end_s - clip.start_s) / NUM_THUMBNAILS
    middles_s = clip.start_s + slot_s * (torch.arange(NUM_THUMBNAILS, dtype=torch.float64) + 0.5)
    nearest = [int((clip.frame_times_s - middle_s).abs().argmin()) for middle_s in middles_s]
    return tuple(
        {"time_s": round(float(clip.frame_times_s[i]), 3), "src": jpeg(clip.frames[i], THUMBNAIL_SIDE)} for i in nearest
    )


def poster(example: Example) -> str:
    """Return a frame from the middle of an example."""
    return frame_at(example.path, example.duration_s / 2)


def frame_at(path: Path, time_s: float) -> str:
    """Return the frame of a video that is shown at a time."""
    sampling = Sampling(
        factor=4, min_tokens_per_pair=600, max_tokens_per_pair=1800, total_tokens=10**6, max_frames=2, min_frames=2
    )
    clip = media.Video(path, clamp_end=True).clip(max(0.0, time_s - 0.1), time_s + 1, sampling)
    return jpeg(clip.frames[0], THUMBNAIL_SIDE)


def given_to_model(clip: Clip, profile: Profile) -> dict[str, Any]:
    """Return the model's input for a clip in its order: texts (the stamps among them) and frames."""
    shown, segments = profile.encode(clip)
    parts: list[dict[str, Any]] = []
    num_shown = 0
    for segment in segments:
        if isinstance(segment, TextSegment):
            parts.append({"text": segment.text})
            continue
        for index in range(segment.first_frame, segment.first_frame + segment.num_frames):
            if num_shown < MAX_SHOWN_FRAMES:
                time_s = round(float(shown.frame_times_s[index]), 3)
                parts.append({"time_s": time_s, "src": jpeg(shown.frames[index], MODEL_FRAME_SIDE)})
            num_shown += 1
    height, width = shown.frames.shape[2:]
    return {
        "parts": parts,
        "encoding": profile.time_encoding.value,
        "num_frames": shown.num_frames,
        "left_out": max(0, num_shown - MAX_SHOWN_FRAMES),
        "size": f"{width} x {height}",
    }
