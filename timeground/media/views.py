"""Clips with changed frames under unchanged times: does an answer come from the video, and from its order?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from timeground.media.clip import Clip


def shuffled(clip: Clip, rng: np.random.Generator) -> Clip:
    """Return frames in a random order (T-GRPO's contrast)."""
    order = torch.from_numpy(rng.permutation(clip.num_frames))
    return replace(clip, frames=clip.frames[order])


def static(clip: Clip) -> Clip:
    """Return the middle frame all the time."""
    return replace(clip, frames=clip.frames[clip.num_frames // 2][None].expand_as(clip.frames).contiguous())


def blank(clip: Clip) -> Clip:
    """Return mid-grey frames: what can be answered without seeing."""
    return replace(clip, frames=torch.full_like(clip.frames, 128))


def with_frames_of(clip: Clip, other: Clip) -> Clip:
    """Return another video's frames, repeated or cut to fit; they must have the same size."""
    if clip.frames.shape[1:] != other.frames.shape[1:]:
        raise ValueError(f"frames of {tuple(other.frames.shape[1:])} cannot stand for {tuple(clip.frames.shape[1:])}")
    index = torch.arange(clip.num_frames) % other.num_frames
    return replace(clip, frames=other.frames[index])
