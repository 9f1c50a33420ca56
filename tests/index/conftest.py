"""A model with a text-to-frame head, and short videos."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.headed_model import make_headed
from timeground.models.local.model import LocalModel


@pytest.fixture(scope="session")
def head_folder(qwen3_folder: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tiny model, with a head of random weights."""
    return make_headed(qwen3_folder, tmp_path_factory.mktemp("head") / "model")


@pytest.fixture(scope="session")
def headed(head_folder: str) -> LocalModel:
    return LocalModel.from_pretrained(head_folder)


@pytest.fixture
def video(synth_folder: Path, tmp_path: Path) -> Path:
    """A copy of a short video, to be changed."""
    target = tmp_path / "clip.mp4"
    shutil.copy(sorted((synth_folder / "videos").glob("*.mp4"))[0], target)
    return target
