"""Qwen3.5, 3.6 and 3.8: Qwen3-VL's stamps and processor; three of four decoder layers are gated delta nets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from timeground.models.families.qwen3_vl import Qwen3VL
from timeground.models.families.qwen_vl import ATTENTION, MLP

LINEAR_ATTENTION = ("in_proj_qkv", "in_proj_z", "out_proj")
"""Linear layers of a gated delta net, but for those that make single numbers of a token."""


@dataclass(frozen=True)
class Qwen35(Qwen3VL):
    """A Qwen3.5 model."""

    model_type: ClassVar[str] = "qwen3_5"
    title: ClassVar[str] = "Qwen3.5"
    keeps_states: ClassVar[bool] = True
    lora_targets: ClassVar[tuple[str, ...]] = (*ATTENTION, *LINEAR_ATTENTION, *MLP)


@dataclass(frozen=True)
class Qwen35Moe(Qwen35):
    """A Qwen3.5 model with experts; what MLP layers it has belong to the expert that all tokens go through."""

    model_type: ClassVar[str] = "qwen3_5_moe"
    title: ClassVar[str] = "Qwen3.5-MoE"
