"""The pictures of the demo's page in docs/demo/: start, result, ask, arrow, error, phone, dark; docs/demo.png too.

``python -m benchmarks.demo_screens`` serves the page on the bundled model and photographs it with Debian's Chromium
(``--out FOLDER`` writes them elsewhere, for a look; the README's picture is then left alone).
"""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from timeground.demo.server import serve
from timeground.demo.settings import DemoSettings

DOCS = Path(__file__).parent.parent / "docs"
DESKTOP = {"viewport": {"width": 1280, "height": 940}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}
ANSWERED = ".tg-status[data-kind=done]"
CONTROLS_FADE_MS = 3500  # the browser's own controls over the video


def result(page: Any) -> None:
    """Look for something of one's own."""
    page.fill("#tg-queries textarea", "the white triangle is visible\nthe purple cross moves up\na dog runs")
    page.click("#tg-find")
    page.wait_for_selector(ANSWERED)


def ask(page: Any) -> None:
    """Ask with options."""
    page.get_by_role("tab", name="Ask").click()
    page.click("#tg-ask")
    page.wait_for_selector(".tg-options")
    page.wait_for_selector(ANSWERED)


def arrow(page: Any) -> None:
    """Compare both ways."""
    page.get_by_role("tab", name="Arrow of time").click()
    page.click("#tg-arrow")
    page.wait_for_selector(".tg-backwards")
    page.wait_for_selector(ANSWERED)


def error(page: Any) -> None:
    """Have a file refused."""
    with tempfile.TemporaryDirectory() as folder:
        broken = Path(folder) / "holiday.mp4"
        broken.write_bytes(b"no video " * 200)
        page.set_input_files("#tg-choose input[type=file]", broken)
        page.wait_for_selector(".tg-refused:not([hidden])")


def start(page: Any) -> None:
    """Change nothing."""


SCREENS: dict[str, tuple[Callable[[Any], None], dict[str, Any], str]] = {
    "start": (start, DESKTOP, "light"),
    "result": (result, DESKTOP, "light"),
    "ask": (ask, DESKTOP, "light"),
    "arrow": (arrow, DESKTOP, "light"),
    "error": (error, DESKTOP, "light"),
    "phone": (result, PHONE, "light"),
    "dark": (start, DESKTOP, "dark"),
}


@contextmanager
def opened(browser: Any, url: str, device: dict[str, Any], scheme: str) -> Iterator[Any]:
    """Open the page, and wait for the example that is answered at once."""
    context = browser.new_context(**device)
    page = context.new_page()
    page.set_default_timeout(300_000)
    page.goto(f"{url}?__theme={scheme}")
    page.wait_for_selector(ANSWERED)
    yield page
    context.close()


def main(arguments: list[str] | None = None) -> None:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, help="another folder")
    parser.add_argument("--only", help="names with commas between them")
    args = parser.parse_args(arguments)
    out = args.out or DOCS / "demo"
    out.mkdir(parents=True, exist_ok=True)
    from playwright.sync_api import sync_playwright

    names = args.only.split(",") if args.only else list(SCREENS)
    with serve(DemoSettings(port=0)) as server, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name in names:
            act, device, scheme = SCREENS[name]
            with opened(chromium, server.url, device, scheme) as page:
                act(page)
                page.wait_for_timeout(CONTROLS_FADE_MS)
                shot = page.screenshot(full_page=device is DESKTOP)
            picture = Image.open(io.BytesIO(shot)).convert("RGB")
            picture.save(out / f"{name}.webp", quality=66, method=6)
            if name == "start" and args.out is None:
                picture.quantize(96).save(DOCS / "demo.png", optimize=True)
            print(f"{out / name}.webp")
        chromium.close()


if __name__ == "__main__":
    main()
