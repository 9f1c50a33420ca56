"""Debian's Chromium, to look at pages with."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def open_chromium(arguments: Sequence[str] = ("--no-sandbox", "--disable-gpu")) -> Iterator[Any]:
    """Give a running browser; skip the test where there is none, but fail it in CI."""
    if CHROMIUM is None:
        message = "Chromium is not installed (apt-get install chromium), so the page is not driven"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=list(arguments))
        yield running
        running.close()
