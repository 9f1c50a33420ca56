"""The folder of real public annotation files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def realdata() -> Path:
    if "TIMEGROUND_REALDATA" not in os.environ:
        pytest.skip("TIMEGROUND_REALDATA is not set")
    return Path(os.environ["TIMEGROUND_REALDATA"])
