"""A folder of videos given at start: searched from the page, its videos watched, and nothing else of the machine."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from timeground.demo.server import serve
from timeground.demo.settings import DemoSettings

from tests.demo.conftest import ANSWERED, EXAMPLE
from timeground.errors import UserError
from timeground.synth.files import write_video
from timeground.synth.world import sample_scene


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("library")
    (made / "sub").mkdir()
    shutil.copy(EXAMPLE, made / "sub" / "shapes.mp4")
    write_video(sample_scene(7, durations_s=(8.0, 9.0)), made / "other.mp4")
    (made / "broken.mp4").write_bytes(b"no video" * 99)
    return made


def test_all_videos_are_searched_and_a_card_opens_one(browser, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with serve(DemoSettings(port=0, library=str(folder))) as running:
        page = browser.new_context(viewport={"width": 1280, "height": 1000}).new_page()
        page.set_default_timeout(120_000)
        page.goto(running.url)
        page.wait_for_selector(ANSWERED)
        page.get_by_role("tab", name="All videos").click()
        page.fill("#tg-library-query input, #tg-library-query textarea", "the blue cross grows")
        page.click("#tg-library")
        page.wait_for_selector(".tg-found-card")
        assert "could not be read" in page.inner_text(".tg-status")
        card = page.locator(".tg-found-card", has_text="sub/shapes.mp4").first
        found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        assert not [one["id"] for one in found if one["impact"] in ("serious", "critical")]
        card.click()
        page.wait_for_selector(".tg-bar")
        page.wait_for_selector(".tg-chosen:has-text('sub/shapes.mp4'), .tg-chosen:has-text('shapes.mp4')")
        assert page.input_value("#tg-queries textarea") == "the blue cross grows"
        assert page.locator(".tg-found").is_hidden(), "the result of another tab is still shown"
        page.wait_for_function("document.querySelector('video').readyState > 0")
        refused = page.request.get(f"{running.url}gradio_api/file={folder.parent}/secret.mp4")
        assert refused.status in (403, 404)
        page.context.close()


def test_a_folder_that_is_none_is_told():
    with pytest.raises(UserError, match="--library /nowhere: no such folder"):
        DemoSettings(library="/nowhere")


def test_its_tab_fits_a_phone(browser, folder):
    with serve(DemoSettings(port=0, library=str(folder))) as running:
        phone = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
        page = browser.new_context(**phone).new_page()
        page.set_default_timeout(120_000)
        page.goto(running.url)
        page.wait_for_selector(ANSWERED)
        tabs = page.locator("#tg-tabs .tab-container[role=tablist] button[role=tab]:visible")
        assert tabs.count() == 5
        for number in range(5):
            box = tabs.nth(number).bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["height"] >= 44
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.context.close()
