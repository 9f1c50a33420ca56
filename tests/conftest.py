"""Fixtures that several tests share: small models of the real classes, made once a session."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.support import tiny_models
from timeground.media.clip import Clip
from timeground.models.torchvision_repair import repair_torchvision

torch.set_num_threads(1)
repair_torchvision()  # tests use transformers' classes directly


@pytest.fixture(scope="session")
def qwen3_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_models.make_qwen3(tmp_path_factory.mktemp("qwen3"))


@pytest.fixture(scope="session")
def qwen3_5_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A hybrid: two linear layers, then a full one (there are three in all)."""
    return tiny_models.make_qwen3(tmp_path_factory.mktemp("qwen3_5"), shape="qwen3_5")


@pytest.fixture(scope="session")
def qwen3_5_moe_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_models.make_qwen3(tmp_path_factory.mktemp("qwen3_5_moe"), shape="qwen3_5_moe")


@pytest.fixture(scope="session")
def qwen3_moe_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_models.make_qwen3(tmp_path_factory.mktemp("qwen3_moe"), seed=2, shape="qwen3_vl_moe")


@pytest.fixture(scope="session")
def cosmos3_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_models.make_qwen3(tmp_path_factory.mktemp("cosmos3"), shape="cosmos3_omni")


@pytest.fixture(scope="session")
def qwen2_5_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_models.make_qwen2_5(tmp_path_factory.mktemp("qwen2_5"))


@pytest.fixture(scope="session")
def synth_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three short SynthMoments videos with their rows."""
    from timeground.synth.files import dataset_videos, write_annotations

    out = tmp_path_factory.mktemp("synth")
    list(dataset_videos(out, 3, seed=5, split="validation"))
    write_annotations(out, 3, seed=5, split="validation")
    return out


def noise_clip(num_frames: int = 8, height: int = 64, width: int = 96, seed: int = 0, step_s: float = 0.5) -> Clip:
    """A clip of random pixels, a frame every `step_s` seconds from 0.03 s on."""
    generator = torch.Generator().manual_seed(seed)
    return Clip(
        frames=torch.randint(0, 256, (num_frames, 3, height, width), generator=generator, dtype=torch.uint8),
        frame_times_s=torch.arange(num_frames, dtype=torch.float64) * step_s + 0.03,
        start_s=0.0,
        end_s=num_frames * step_s + 0.03,
        duration_s=num_frames * step_s + 0.03,
    )
