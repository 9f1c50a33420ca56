"""How the page looks, in Chromium: what it shows when it is opened, where things stand, and who can use it."""

from __future__ import annotations

import dataclasses

import pytest
from axe_playwright_python.sync_playwright import Axe
from timeground.demo.server import serve
from timeground.demo.settings import DemoSettings

from tests.demo.conftest import ANSWERED
from timeground.models.checkpoint import Checkpoint
from timeground.synth.files import write_video
from timeground.synth.long_scenes import sample_long_scene

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
BOXES = """selector => [...document.querySelectorAll(selector)].filter(n => n.checkVisibility()).map(n => {
    const r = n.getBoundingClientRect();
    return [r.left, r.top, r.right, r.bottom];
})"""


def boxes(page, selector):
    return page.evaluate(BOXES, selector)


def open_page(browser, url, **device):
    opened = browser.new_context(**device).new_page()
    opened.set_default_timeout(120_000)
    opened.goto(url)
    opened.wait_for_selector(ANSWERED)
    return opened


def ask(page):
    page.get_by_role("tab", name="Ask").click()
    page.click("#tg-ask")
    page.wait_for_selector(".tg-option")
    page.wait_for_selector(ANSWERED)


def compare(page):
    page.get_by_role("tab", name="Arrow of time").click()
    page.click("#tg-arrow")
    page.wait_for_selector(".tg-backwards")
    page.wait_for_selector(ANSWERED)


def look(page):
    page.get_by_role("tab", name="Model's view").click()
    page.click("#tg-look")
    page.wait_for_selector(".tg-seen-parts img")


def refuse(page):
    page.set_input_files(
        "#tg-choose input[type=file]", {"name": "a.mp4", "mimeType": "video/mp4", "buffer": b"no video" * 99}
    )
    page.wait_for_selector(".tg-refused:not([hidden])")


def test_on_opening_it_says_what_it_is_and_an_example_is_answered(page):
    assert page.inner_text(".tg-line").startswith("Finds when something happens in a video")
    model = page.inner_text(".tg-model")
    assert "tiny" in model and "coloured shapes" in model and "--model TencentARC/TimeLens-8B" in model
    assert page.locator(".tg-row").count() == 3 and page.locator(".tg-bar").count() >= 1
    assert page.locator(".tg-poster").count() == 3
    assert page.locator("video").get_attribute("aria-label") == "Video: shapes.mp4"
    assert page.is_visible(".tg-keys") and "Space" in page.inner_text(".tg-keys")


def test_the_found_frame_is_shown_and_playing_begins_at_its_span(page):
    bar = page.locator(".tg-bar").first
    start_s, end_s = (float(bar.get_attribute(f"data-{end}")) for end in ("start", "end"))
    page.wait_for_function(
        "t => { const v = document.querySelector('video'); return !v.seeking && Math.abs(v.currentTime - t) < 0.1; }",
        arg=(start_s + end_s) / 2,
    )
    assert page.evaluate("document.querySelector('video').paused") and page.is_visible(".tg-preview")
    page.evaluate("document.querySelector('video').play()")
    page.wait_for_function(
        "([s, m]) => { const t = document.querySelector('video').currentTime; return t >= s && t < m; }",
        arg=[start_s, (start_s + end_s) / 2],
    )
    assert not page.is_visible(".tg-preview")


def test_pills_stand_under_their_bars_and_the_axis_has_its_end(page):
    lane = boxes(page, ".tg-lane")[0]
    bars, pills = boxes(page, ".tg-bar"), boxes(page, ".tg-pill")
    assert len(bars) == len(pills) >= 1
    for bar, pill in zip(bars, pills, strict=True):
        assert pill[1] > bar[3] and pill[1] - bar[3] < 12
        assert pill[0] == pytest.approx(min(bar[0], lane[2] - (pill[2] - pill[0])), abs=2)
    assert page.inner_text(".tg-end") == "21.1 s" and boxes(page, ".tg-end")[0][2] == pytest.approx(lane[2], abs=1)


def test_the_playhead_covers_nothing(page):
    start_s = float(page.locator(".tg-bar").first.get_attribute("data-start"))
    for time_s in (0.2, start_s + 0.5, 10.0):
        page.evaluate("t => document.querySelector('video').currentTime = t", time_s)
        page.wait_for_function("t => Math.abs(document.querySelector('video').currentTime - t) < 0.05", arg=time_s)
        page.wait_for_timeout(100)
        for left, top, right, bottom in boxes(page, ".tg-playhead"):
            for other in boxes(page, ".tg-label, .tg-note, .tg-pill, .tg-thumbnail, .tg-none"):
                assert right <= other[0] or left >= other[2] or bottom <= other[1] or top >= other[3]
    order = (
        "n => n.compareDocumentPosition(n.parentElement.querySelector('.tg-bar')) & Node.DOCUMENT_POSITION_FOLLOWING"
    )
    assert page.locator(".tg-lane:has(.tg-bar) .tg-playhead").first.evaluate(order)  # bars are painted after it


def test_times_can_be_copied(browser, server):
    page = open_page(browser, server.url, permissions=["clipboard-read", "clipboard-write"])
    page.locator(".tg-copy").first.click()
    times = page.locator(".tg-play").first.inner_text().removeprefix("▶ ")
    assert page.evaluate("navigator.clipboard.readText()") == times
    page.get_by_role("button", name="Copy all times").click()
    lines = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert len(lines) == page.locator(".tg-bar").count() and all(line.count("\t") == 2 for line in lines)
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser, server, scheme):
    page = open_page(browser, f"{server.url}?__theme={scheme}", viewport={"width": 1280, "height": 940})
    for act in (None, ask, compare, look, refuse):
        if act is not None:
            act(page)
        page.mouse.move(0, 0)
        page.wait_for_timeout(400)  # colours of buttons fade
        found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        bad = [(v["id"], [n["target"] for n in v["nodes"]]) for v in found if v["impact"] in ("serious", "critical")]
        assert not bad, (scheme, act, bad)
    page.context.close()


def test_it_fits_a_phone(browser, server):
    page = open_page(browser, server.url, **PHONE)
    assert page.evaluate("scrollY") == 0  # who only opens it is not taken away from the head
    tabs = boxes(page, "#tg-tabs .tab-container[role=tablist] button[role=tab]")
    assert len(tabs) == 4 and all(left >= 0 and right <= 390 for left, _, right, _ in tabs)
    page.fill("#tg-queries textarea", "the blue cross can be seen")
    page.evaluate("document.querySelector('.tg-status').dataset.kind = 'not yet'")
    page.tap("#tg-find")
    page.wait_for_selector(ANSWERED)
    page.wait_for_function("document.querySelector('.tg-bar').getBoundingClientRect().bottom < innerHeight")
    page.wait_for_timeout(800)  # it scrolls smoothly
    assert all(top >= 0 and bottom <= 844 for _, top, _, bottom in boxes(page, ".tg-bar"))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator(".tg-thumbnail:visible").count() == 5
    small = [
        (selector, box)
        for selector in ("button", "a", "textarea", "[role=slider]", ".tg-drop")
        for box in boxes(page, f"#tg-columns {selector}:not(.tg-bar)")
        if box[3] - box[1] > 2
        and (box[3] - box[1] < 43.5 or box[2] - box[0] < 43.5)  # Gradio measures in 1 px high copies
    ]
    assert not small  # bars are as wide as their spans are long; the pill below does the same
    page.context.close()


def test_a_search_shows_where_it_looked(browser, tmp_path):
    """Its windows lie under its bars, darker where more speaks for them; axe finds nothing in it."""
    file = tmp_path / "grounding_config.json"
    file.write_text(dataclasses.replace(Checkpoint.open("tiny").profile, window_s=3.0).to_text())
    with serve(DemoSettings(port=0, method="search:max_looks=3", profile=str(file))) as running:
        page = open_page(browser, running.url, viewport={"width": 1280, "height": 1000})
        lanes = page.locator(".tg-looks")
        assert lanes.count() == page.locator(".tg-row").count() == 3
        assert "windows looked at, 3 closely: " in (lanes.first.get_attribute("aria-label") or "")
        assert lanes.first.locator(".tg-look-close").count() == 3 and lanes.first.locator(".tg-look-scan").count() > 1
        (plot,), looks = boxes(page, ".tg-plot"), boxes(page, ".tg-look")
        assert all(left >= plot[0] - 1 and right <= plot[2] + 1 and right > left for left, _, right, _ in looks)
        found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        assert not [one["id"] for one in found if one["impact"] in ("serious", "critical")]
        page.context.close()


def test_a_long_timeline_zooms(page, tmp_path):
    """Bars and numbers of the axis grow apart, what is at the playhead stays in view, a click still seeks its time."""
    assert not page.locator(".tg-zoom").count(), "fifteen seconds need no zoom"
    path = tmp_path / "long.mp4"
    write_video(sample_long_scene(5, 130.0), path)
    page.set_input_files("#tg-choose input[type=file]", path)
    page.wait_for_selector(".tg-zoom-in")
    before = page.locator(".tg-tick").all_inner_texts()
    page.focus(".tg-axis")
    page.keyboard.press("End")
    for _ in range(2):
        page.click(".tg-zoom-in")
    grown = page.evaluate("(n => n.scrollWidth / n.clientWidth)(document.querySelector('.tg-scroll'))")
    assert grown == pytest.approx(4, abs=0.05)
    assert len(page.locator(".tg-tick").all_inner_texts()) > 2 * len(before)
    (box,), (head,) = boxes(page, ".tg-scroll"), boxes(page, ".tg-axis .tg-playhead")
    assert box[0] <= head[0] <= box[2] + 1, "the playhead left the view"
    target = page.locator(".tg-tick").nth(-2)
    said, place = target.inner_text(), target.bounding_box()
    page.mouse.click(place["x"] + 1, place["y"] + 2)
    page.wait_for_function("!document.querySelector('video').seeking")
    at_s = page.evaluate("document.querySelector('video').currentTime")
    minutes, seconds = said.removesuffix(" s").rpartition(":")[::2]
    assert at_s == pytest.approx(60 * float(minutes or 0) + float(seconds), abs=0.5)
    page.focus(".tg-axis")
    for _ in range(3):
        page.keyboard.press("-")
    assert page.locator(".tg-tick").all_inner_texts() == before and page.locator(".tg-zoom-out").is_disabled()
