"""The tiny model of random weights with a text-to-frame head."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from timeground.models.frame_head import FrameHead


def make_headed(qwen3_folder: str, folder: Path) -> str:
    """Copy a model of 64 hidden units, give it a head, and return its folder."""
    shutil.copytree(qwen3_folder, folder)
    torch.manual_seed(4)
    FrameHead(64).save(folder)
    return str(folder)
