"""What benchmarks of a model's speed run on: random weights and clips of noise, 25 visual tokens a frame pair.

Speed depends on sizes, not on what a model knows.
"""

from __future__ import annotations

from pathlib import Path

import torch
from timeground.train.fresh import make_fresh_model

from timeground.chat.layout import TimeEncoding
from timeground.chat.profile import Profile
from timeground.media.clip import Clip
from timeground.models.families.new_models import FIRST_SHAPE, FreshModel

from .common import cache_folder

PIXELS = 160  # a side of a frame; with 25 tokens a pair, nothing is resized
PROFILE = Profile(
    prompt="short",
    time_encoding=TimeEncoding.NATIVE,
    min_tokens_per_pair=25,
    max_tokens_per_pair=25,
    total_tokens=3600,
    max_new_tokens=24,
)


def random_model(name: str, sizes: FreshModel, shape: str = FIRST_SHAPE) -> Path:
    """The folder of a model of these sizes, kept between runs under this name. shape: its model type."""
    folder = cache_folder() / f"model-{name}{'' if shape == FIRST_SHAPE else f'-{shape}'}"
    if not (folder / "config.json").exists():
        make_fresh_model(folder, sizes, PROFILE, 0, shape)
    return folder


def noise_clip(num_pairs: int, seed: int = 0) -> Clip:
    """Noise at two frames a second."""
    generator = torch.Generator().manual_seed(seed)
    frames = torch.randint(0, 256, (2 * num_pairs, 3, PIXELS, PIXELS), dtype=torch.uint8, generator=generator)
    length_s = float(num_pairs)
    return Clip(frames, torch.arange(2 * num_pairs, dtype=torch.float64) / 2, 0.0, length_s, length_s)
