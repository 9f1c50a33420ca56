"""Which frames a model of others wants: measured on its processor's output, bounded by what its files say."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from timeground.chat.layout import TimeEncoding
from timeground.chat.parts import Message
from timeground.chat.profile import Profile
from timeground.media.sampling import Sampling
from timeground.models.generic.own_sampling import OwnSampling, own_sampling
from timeground.models.generic.prompts import PromptWriter
from timeground.models.generic.time_text import probe_clip

SIDES = (224, 448)
"""Pixels of the frames that are shown to measure with."""
ROOM_FOR_TEXT = 1024
"""Tokens of a model's context that are left for question and answer."""
PLAUSIBLE = range(32, 1025)
"""Pixels on the side of a frame."""
GROWS = 1.5
"""How many more tokens frames of the larger side cost, at least, where a processor keeps their size."""


@dataclass(frozen=True)
class FrameSizes:
    """What frames cost."""

    factor: int
    """Pixels on the side of what is one visual token of two frames."""
    tokens_per_pair: int | None
    """Of every pair, where the processor brings all frames to one size; None where larger frames cost more."""
    max_frames: int | None
    """Most frames of a video, as the processor's settings say; None where they say nothing."""

    def profile(self, base: Profile, room: int | None) -> Profile:
        """Return a profile with a budget that fits. room: tokens that the model's context has for frames."""
        total = min(base.total_tokens, room or base.total_tokens)
        if self.tokens_per_pair is None:
            return replace(base, total_tokens=max(total, base.min_tokens_per_pair))
        if self.max_frames is not None:
            total = min(room or 10**7, self.tokens_per_pair * max(1, self.max_frames // 2))
        return replace(
            base,
            min_tokens_per_pair=self.tokens_per_pair,
            max_tokens_per_pair=self.tokens_per_pair,
            total_tokens=max(total, self.tokens_per_pair),
        )

    def sampling(self, profile: Profile) -> Sampling:
        """Return which frames to read under a profile."""
        return replace(profile.sampling(self.factor), max_frames=self.max_frames)


def measured_sizes(writer: PromptWriter, profile: Profile) -> FrameSizes:
    """Return what frames cost in a profile's time encoding."""
    small, large = (_tokens_per_pair(writer, profile, side) for side in SIDES)
    most = _own(writer).max_frames
    if most is not None:
        most = max(2, most * _frames_a_picture(profile))
    cell = _cell(writer)
    if large > GROWS * small:
        return FrameSizes(cell or max(1, round(SIDES[1] / math.sqrt(large))), None, most)
    side = cell * math.sqrt(large) if cell else _fixed_side(writer) or SIDES[1]
    factor = max(1, round(side / math.sqrt(large)))
    return FrameSizes(factor, max(1, round(large)), most)


def wanted_fps(writer: PromptWriter, profile: Profile) -> float:
    """Return the frames a second that the processor takes itself; the profile's where it says nothing."""
    own = _own(writer).fps
    return profile.fps if own is None else own * _frames_a_picture(profile)


def room_for_frames(config: Any) -> int | None:
    """Return the tokens of a model's context that frames may take; None where it names no length."""
    length = context_length(config)
    return max(length // 2, length - ROOM_FOR_TEXT) if length is not None else None


def context_length(config: Any) -> int | None:
    """Return the most tokens that a model was made for; None where its configuration does not say."""
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    length = getattr(text, "max_position_embeddings", None)
    return length if isinstance(length, int) else None


def _frames_a_picture(profile: Profile) -> int:
    """Return 2 where only every second frame is shown, as an image."""
    return 2 if profile.time_encoding is TimeEncoding.STAMPED_IMAGES else 1


def _tokens_per_pair(writer: PromptWriter, profile: Profile, side: int) -> float:
    """Return the visual tokens of two frames of this size, or of the one image that stands for both."""
    head = writer.head([Message.of("user", probe_clip(side, 4))], profile)
    return max(1.0, sum(i in writer.media_ids for i in head.ids_L.tolist()) / 2)


def _fixed_side(writer: PromptWriter) -> int | None:
    """Return the side to which a processor brings frames, as far as its settings tell."""
    names = (("crop_size", "height"), ("max_image_size", "longest_edge"), ("size", "height"), ("size", "shortest_edge"))
    for holder in _parts(writer):
        if isinstance(side := getattr(holder, "scale_resolution", None), int):
            return side
        for attribute, key in names:
            value: Any = getattr(holder, attribute, None)
            side = value.get(key) if hasattr(value, "get") else getattr(value, key, None)
            if isinstance(side, int) and side in PLAUSIBLE:  # others name an area of pixels so
                return side
    return None


def _own(writer: PromptWriter) -> OwnSampling:
    return own_sampling(getattr(writer.processor, "video_processor", None))


def _cell(writer: PromptWriter) -> int | None:
    """Return the pixels on the side of a visual token, as far as the processor's settings tell."""
    for part in _parts(writer):
        patch = getattr(part, "patch_size", None)
        merged = getattr(part, "merge_size", None) or getattr(part, "pooling_kernel_size", None)
        if isinstance(patch, int) and isinstance(merged, int):
            return patch * merged
    return None


def _parts(writer: PromptWriter) -> list[Any]:
    found = (getattr(writer.processor, name, None) for name in ("video_processor", "image_processor"))
    return [part for part in found if part is not None]
