"""Tiny models of transformers' own video classes, with random weights and real processors, as in a user's folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.support import tiny_timed_models as timed
from tests.support import tiny_untimed_models as untimed
from timeground.models.torchvision_repair import repair_torchvision


@dataclass(frozen=True)
class TinyVideoModel:
    """A tiny model, and what its processor writes of time."""

    make: Callable[[Path], str]
    resolution_s: float | None
    """In the text of a video: 0.1, whole seconds, or none."""


MODELS = {
    "llava_onevision": TinyVideoModel(untimed.llava_onevision, None),
    "smolvlm": TinyVideoModel(timed.smolvlm, 1.0),
    "internvl": TinyVideoModel(untimed.internvl, None),
    "molmo2": TinyVideoModel(timed.molmo2, 0.1),
    "glm46v": TinyVideoModel(timed.glm46v, 0.1),
    "gemma4": TinyVideoModel(timed.gemma4, 1.0),
    "lfm3_vl": TinyVideoModel(timed.lfm3_vl, 0.1),
    "minicpmv4_6": TinyVideoModel(untimed.minicpmv4_6, None),
    "video_llama_3": TinyVideoModel(timed.video_llama_3, 0.1),
    "qwen2_5_omni": TinyVideoModel(untimed.qwen2_5_omni, None),
}


def make(name: str, folder: Path) -> str:
    """Write a tiny model of a family into a folder."""
    repair_torchvision()
    return MODELS[name].make(folder)
