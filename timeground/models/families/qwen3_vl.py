"""Qwen3-VL, and what is Qwen3-VL in all but name or experts: its own stamps before each frame pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from timeground.chat.layout import DEFAULT_STAMPS, TimeEncoding, VisionSegment
from timeground.chat.profile import NATIVE, Profile
from timeground.models.families.qwen_vl import VIDEO, VISION_END, VISION_START, QwenVL


@dataclass(frozen=True)
class Qwen3VL(QwenVL):
    """A Qwen3-VL model."""

    model_type: ClassVar[str] = "qwen3_vl"
    title: ClassVar[str] = "Qwen3-VL"
    default_profile: ClassVar[Profile] = NATIVE
    not_carried: ClassVar[dict[TimeEncoding, str]] = {
        TimeEncoding.MROPE: "carries no seconds in Qwen3-VL: each of its frame pairs is a grid with t = 1. "
        "Use 'native' or 'interleaved-seconds'"
    }

    def wraps_video(self, processor: Any | None) -> bool:
        """Ask the installed processor: transformers >= 5.10 keeps a start and end around the video, 4.57 does not."""
        if processor is None:
            return True
        import torch

        frames = torch.zeros(2, 3, self.factor, self.factor, dtype=torch.uint8)
        metadata = {"total_num_frames": 2, "fps": 1.0, "frames_indices": [0, 1]}
        cap = "cap_pixels_per_frame"  # without a word on it newer transformers warn
        unwarned = {cap: False} if hasattr(processor.video_processor, cap) else {}
        out = processor(
            text=[VISION_START + VIDEO + VISION_END],
            videos=[frames],
            video_metadata=[metadata],
            do_sample_frames=False,
            do_resize=False,
            **unwarned,
        )
        return list(out["input_ids"][0]).count(self.vision_start_id) == 2

    def why_not_native(self, profile: Profile) -> str | None:
        """Return why clips cannot be sent as they are: vLLM writes the family's own stamps around each frame pair."""
        if reason := super().why_not_native(profile):
            return reason
        if profile.time_encoding is not TimeEncoding.NATIVE:
            return f"vLLM writes Qwen3-VL's own stamps, the profile asks for {profile.time_encoding.value}"
        if profile.stamp not in (None, DEFAULT_STAMPS[TimeEncoding.NATIVE]):
            return f"vLLM writes Qwen3-VL's own stamps, the profile asks for {profile.stamp!r}"
        return None

    def pieces(self, vision: Sequence[VisionSegment]) -> list[VisionSegment]:
        """Return a whole video with its stamps as one piece."""
        if not vision or vision[0].is_image:
            return list(vision)
        return [VisionSegment(vision[0].first_frame, sum(block.num_frames for block in vision))]

    def placeholders(self, ids: Sequence[int]) -> list[int]:
        """Return token ids with one visual token in place of a video and its stamps."""
        ids = list(ids)
        if self.video_token_id not in ids:
            return super().placeholders(ids)
        first = ids.index(self.vision_start_id)
        last = len(ids) - 1 - ids[::-1].index(self.vision_end_id)
        return [*ids[: first + 1], self.video_token_id, *ids[last:]]

    def frames_per_s(self, block: VisionSegment) -> float:
        """Return 1: stamps are ``index / rate``, and seconds at rate 1 come through unrounded."""
        return 1.0

    def videos_in_prompt(self, num_pairs: int) -> int:
        """Return one."""
        return 1
