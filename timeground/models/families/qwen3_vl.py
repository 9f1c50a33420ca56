"""Qwen3-VL: its own stamps before each frame pair, a deep stack of visual features, and sizes of new models of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from timeground.chat.layout import DEFAULT_STAMPS, TimeEncoding, VisionSegment
from timeground.chat.profile import NATIVE, Profile
from timeground.models.families.qwen_vl import (
    CHAT_TEMPLATE,
    END,
    IMAGE,
    SPECIAL_TOKENS,
    VIDEO,
    VISION_END,
    VISION_START,
    QwenVL,
)

Count = Annotated[int, Field(ge=1)]


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


@dataclass(frozen=True)
class FreshModel:
    """Sizes of a new model. Attention heads are 64 wide: vLLM's CPU kernels know that size."""

    hidden_size: Count = 256
    """Of the decoder, as the four that follow."""
    num_layers: Count = 6
    num_heads: Count = 4
    num_key_value_heads: Count = 2
    intermediate_size: Count = 512
    vision_hidden_size: Count = 128
    """Of the vision tower, as the two that follow."""
    vision_layers: Count = 4
    vision_intermediate_size: Count = 384
    deepstack_layers: tuple[Annotated[int, Field(ge=0)], ...] = (1,)
    """Which of the tower's layers feed the decoder directly."""
    vocab_size: Count = 700
    """Ids beside the special tokens, at most."""
    max_position_embeddings: Count = 8192

    def __post_init__(self) -> None:
        """Raise ValueError, which a recipe's reader turns into one line, for sizes that no model can have."""
        if self.num_heads % self.num_key_value_heads:
            raise ValueError(f"num_heads {self.num_heads} must be a multiple of num_key_value_heads")
        if self.vision_hidden_size % 64:
            raise ValueError(
                f"vision_hidden_size {self.vision_hidden_size} must be a multiple of 64, the size of a head"
            )
        if any(layer >= self.vision_layers for layer in self.deepstack_layers):
            raise ValueError(f"deepstack_layers {list(self.deepstack_layers)} are counted from 0, below vision_layers")


def new_processor(tokenizer: Any, profile: Profile) -> Any:
    """Return image and video processors with the model's patch size and token budget."""
    from transformers import Qwen2VLImageProcessor, Qwen3VLProcessor, Qwen3VLVideoProcessor

    processor_class: Any = Qwen3VLProcessor
    half = [0.5, 0.5, 0.5]
    cell = 32 * 32
    largest = (profile.max_tokens_per_pair or profile.min_tokens_per_pair) * cell
    patches: dict[str, Any] = {
        "patch_size": 16,
        "merge_size": 2,
        "temporal_patch_size": 2,
        "image_mean": half,
        "image_std": half,
    }
    return processor_class(
        image_processor=Qwen2VLImageProcessor(
            size={"shortest_edge": profile.min_tokens_per_pair * cell, "longest_edge": largest}, **patches
        ),
        video_processor=Qwen3VLVideoProcessor(
            fps=profile.fps,
            size={"shortest_edge": 2 * profile.min_tokens_per_pair * cell, "longest_edge": 120 * largest},
            **patches,
        ),
        tokenizer=tokenizer,
        chat_template=CHAT_TEMPLATE,
    )


def new_config(tokenizer: Any, sizes: FreshModel) -> Any:
    """Return the transformers configuration of a new model."""
    from transformers import Qwen3VLConfig

    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in SPECIAL_TOKENS}
    text = {
        "vocab_size": -(-len(tokenizer) // 64) * 64,
        "hidden_size": sizes.hidden_size,
        "intermediate_size": sizes.intermediate_size,
        "num_hidden_layers": sizes.num_layers,
        "num_attention_heads": sizes.num_heads,
        "num_key_value_heads": sizes.num_key_value_heads,
        "head_dim": 64,
        "max_position_embeddings": sizes.max_position_embeddings,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 100000.0,
            "mrope_section": [12, 10, 10],
            "mrope_interleaved": True,
        },
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": ids[END],
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {
        "depth": sizes.vision_layers,
        "hidden_size": sizes.vision_hidden_size,
        "intermediate_size": sizes.vision_intermediate_size,
        "num_heads": sizes.vision_hidden_size // 64,
        "out_hidden_size": sizes.hidden_size,
        "patch_size": 16,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "deepstack_visual_indexes": list(sizes.deepstack_layers),
        "num_position_embeddings": 64,
    }
    return Qwen3VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=ids[IMAGE],
        video_token_id=ids[VIDEO],
        vision_start_token_id=ids[VISION_START],
        vision_end_token_id=ids[VISION_END],
        tie_word_embeddings=True,
    )
