"""The longest of the rendered videos."""

from __future__ import annotations

from pathlib import Path

import pytest

from timeground.media.video import Video


@pytest.fixture(scope="module")
def video(synth_folder: Path) -> Video:
    paths = sorted((synth_folder / "videos").glob("*.mp4"))
    return max((Video.open(path) for path in paths), key=lambda one: one.duration_s)
