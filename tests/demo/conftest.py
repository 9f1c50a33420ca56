"""A served page on the bundled model, and Debian's Chromium to drive it with."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from timeground.demo.server import Server, serve
from timeground.demo.settings import DemoSettings
from transformers import AutoConfig  # noqa: F401 - before threads of several servers import it at once

from tests.support.chromium import open_chromium

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "timeground" / "assets" / "example" / "shapes.mp4"
SHOTS = ROOT / "out" / "demo"
ANSWERED = ".tg-status[data-kind=done]"
BROWSER_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]
collect_ignore_glob = [] if find_spec("gradio") else ["test_*.py"]  # the demo is an extra


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve(DemoSettings(port=0)) as running:
        yield running


@pytest.fixture(scope="module")  # not longer: its event loop would be in the way of tests that run their own
def browser() -> Iterator[Any]:
    with open_chromium(BROWSER_ARGS) as running:
        yield running


@pytest.fixture
def page(browser: Any, server: Server) -> Iterator[Any]:
    """The page, opened; it must not fail in its scripts, fetch from elsewhere, or run a user's script."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000}, accept_downloads=True)
    opened = context.new_page()
    opened.set_default_timeout(120_000)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on(
        "request", lambda r: errors.append(r.url) if not r.url.startswith((server.url, "data:", "blob:")) else None
    )
    opened.goto(server.url)
    opened.wait_for_selector(ANSWERED)  # the example that is answered at once
    yield opened
    assert opened.evaluate("window.hacked") is None
    context.close()
    assert not errors
