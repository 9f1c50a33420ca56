"""Qwen3.5, 3.6 and 3.8: Qwen3-VL's stamps and processor; three of four decoder layers are gated delta nets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from timeground.models.families.qwen3_vl import Qwen3VL


@dataclass(frozen=True)
class Qwen35(Qwen3VL):
    """A Qwen3.5 model."""

    model_type: ClassVar[str] = "qwen3_5"
    title: ClassVar[str] = "Qwen3.5"


@dataclass(frozen=True)
class Qwen35Moe(Qwen35):
    """A Qwen3.5 model with experts."""

    model_type: ClassVar[str] = "qwen3_5_moe"
    title: ClassVar[str] = "Qwen3.5-MoE"
