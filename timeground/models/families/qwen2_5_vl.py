"""Qwen2.5-VL: time in its temporal position ids; windowed attention in its vision tower."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from timeground.chat.layout import TimeEncoding, VisionSegment
from timeground.chat.profile import STAMPED, Profile
from timeground.models.families.qwen_vl import QwenVL


@dataclass(frozen=True)
class Qwen25VL(QwenVL):
    """A Qwen2.5-VL model."""

    model_type: ClassVar[str] = "qwen2_5_vl"
    title: ClassVar[str] = "Qwen2.5-VL"
    default_profile: ClassVar[Profile] = STAMPED  # the same interleaved seconds as TimeLens-7B
    not_carried: ClassVar[dict[TimeEncoding, str]] = {
        TimeEncoding.NATIVE: "means Qwen3-VL's own stamps; use 'interleaved-seconds' or 'mrope' here"
    }

    tokens_per_second: float = 2.0
    """Steps of the temporal position ids a second."""

    @classmethod
    def from_config(cls, config: Any) -> Self:
        """Return the family of a transformers configuration."""
        return cls(**cls._sizes(config), tokens_per_second=config.vision_config.tokens_per_second)

    @property
    def steps_per_s(self) -> float:
        """Return the steps of the temporal position ids a second."""
        return self.tokens_per_second

    def steps_per_pair(self, segment: VisionSegment) -> float:
        """Return the seconds from one pair to the next in steps; images have no time."""
        return 1.0 if segment.is_image else segment.seconds_per_pair * self.tokens_per_second
