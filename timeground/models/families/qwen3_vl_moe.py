"""Qwen3-VL with experts in its decoder's layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from timeground.models.families.qwen3_vl import Qwen3VL
from timeground.models.families.qwen_vl import ATTENTION


@dataclass(frozen=True)
class Qwen3VLMoe(Qwen3VL):
    """A Qwen3-VL-MoE model."""

    model_type: ClassVar[str] = "qwen3_vl_moe"
    title: ClassVar[str] = "Qwen3-VL-MoE"
    lora_targets: ClassVar[tuple[str, ...]] = ATTENTION
