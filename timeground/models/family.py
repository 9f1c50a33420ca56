"""What differs between the model families we know, read from a model's configuration and never from its path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from timeground.errors import UserError

FAMILIES = ("qwen2_5_vl", "qwen3_vl")


@dataclass(frozen=True)
class Family:
    """Sizes and token ids that an input builder needs.

    patch_size, merge_size: a visual token covers ``patch_size * merge_size`` pixels square, two frames deep.
    tokens_per_second: steps of the temporal position ids a second (Qwen2.5-VL); None where grids carry no time.
    """

    name: str
    patch_size: int
    merge_size: int
    tokens_per_second: float | None
    image_token_id: int
    video_token_id: int
    vision_start_id: int
    vision_end_id: int

    @property
    def factor(self) -> int:
        """Frame sides are multiples of this many pixels."""
        return self.patch_size * self.merge_size

    @property
    def forbidden_ids(self) -> tuple[int, ...]:
        """Tokens that must never be sampled into an answer."""
        return self.image_token_id, self.video_token_id, self.vision_start_id, self.vision_end_id


def family_of(config: Any, where: str) -> Family:
    """The family of a transformers configuration; UserError naming `where` if we do not know it."""
    if config.model_type not in FAMILIES:
        raise UserError(
            f"{where}: model type {config.model_type!r} is not supported; give a Qwen2.5-VL or Qwen3-VL model"
        )
    vision = config.vision_config
    return Family(
        name=config.model_type,
        patch_size=vision.patch_size,
        merge_size=vision.spatial_merge_size,
        tokens_per_second=getattr(vision, "tokens_per_second", None) if config.model_type == "qwen2_5_vl" else None,
        image_token_id=config.image_token_id,
        video_token_id=config.video_token_id,
        vision_start_id=config.vision_start_token_id,
        vision_end_id=config.vision_end_token_id,
    )
