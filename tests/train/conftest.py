"""Fixtures that several tests of training share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from timeground.data.rows import read_rows, write_rows


@pytest.fixture()
def data(synth_folder, tmp_path) -> Path:
    """A folder of videos with rows that ask when, two of each video."""
    shutil.copytree(synth_folder, tmp_path / "data")
    every = [row for row in read_rows(synth_folder / "annotations.jsonl") if row.task == "ground"]
    videos = sorted({row.video for row in every})
    write_rows(tmp_path / "data" / "rows.jsonl", [r for v in videos for r in [r for r in every if r.video == v][:2]])
    return tmp_path / "data"
