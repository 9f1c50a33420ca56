"""Cosmos3: its reasoner is a Qwen3-VL of another name; what it makes videos and sounds with is not loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from timeground.models.families.qwen3_vl import Qwen3VL


@dataclass(frozen=True)
class Cosmos3(Qwen3VL):
    """The reasoner of a Cosmos3 model."""

    model_type: ClassVar[str] = "cosmos3_omni"
    title: ClassVar[str] = "Cosmos3"
