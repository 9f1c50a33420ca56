"""A folder of short videos with a broken one among them, and models that look and rank."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.headed_model import make_headed
from timeground.index.own_scorer import OwnScorer
from timeground.methods.grounder import Grounder
from timeground.models.local.model import LocalModel


@pytest.fixture
def folder(synth_folder: Path, tmp_path: Path) -> Path:
    root = tmp_path / "videos"
    shutil.copytree(synth_folder / "videos", root / "inner")
    (root / "broken.mp4").write_bytes(b"no video at all" * 100)
    (root / "._macos.mp4").write_bytes(b"beside a file")
    (root / "note.txt").write_text("no video")
    return root


@pytest.fixture(scope="session")
def head_folder(qwen3_folder: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_headed(qwen3_folder, tmp_path_factory.mktemp("head") / "model")


@pytest.fixture(scope="session")
def scorer(head_folder: str) -> OwnScorer:
    """Of random weights: what is ranked is not what is sought, but it is always the same."""
    return OwnScorer(LocalModel.from_pretrained(head_folder))


@pytest.fixture(scope="session")
def grounder() -> Grounder:
    return Grounder.from_pretrained("tiny")
