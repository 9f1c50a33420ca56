"""Ray: the same bytes as worker processes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.pipeline import LIGHT, finals, run


@pytest.mark.long
def test_ray_gives_the_same_bytes(write_recipe, tmp_path):
    pytest.importorskip("ray")
    recipe = write_recipe(LIGHT)
    assert run(recipe, f"output={tmp_path / 'local'}") == 0
    command = [
        sys.executable,
        "-m",
        "timeground",
        "data",
        "run",
        recipe,
        "--quiet",
        "--executor",
        "ray",
        "--workers",
        "2",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert finals(tmp_path / "out") == finals(tmp_path / "local")
