"""Chromium drives the real page on the bundled model.

What the model says is not judged here: bars are compared with the JSON that the page offers.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import time

import pytest

from tests.demo.conftest import EXAMPLE, ROOT, SHOTS
from timeground.media.decode import probe
from timeground.methods.grounder import Grounder, Watched

SCRIPT = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>"
VISIBLE = "the blue cross can be seen\nthe white triangle is visible"


def shoot(page, name):
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.wait_for_timeout(400)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)
    return SHOTS / f"{name}.png"


def upload(page, path):
    page.set_input_files("#tg-file input[type=file]", path)
    page.wait_for_selector(".tg-thumbnail img")


def status(page, begins):
    page.wait_for_function(
        "begins => document.querySelector('.tg-status-text').textContent.startsWith(begins)", arg=begins
    )
    return page.inner_text(".tg-status-text")


def find(page, queries):
    page.fill("#tg-queries textarea", queries)
    page.evaluate("document.querySelector('.tg-status').dataset.kind = 'not yet'")  # so that no old end is taken
    page.click("#tg-find")
    page.wait_for_selector(".tg-status[data-kind=done]")
    page.wait_for_selector(".tg-download")
    return download_json(page)


def download_json(page):
    with page.expect_download() as saved:
        page.get_by_role("link", name="JSON").click()
    return json.loads(saved.value.path().read_text(encoding="utf-8"))


def bars(page):
    return page.eval_on_selector_all(
        ".tg-bar",
        "all => all.map(b => [+b.dataset.start, +b.dataset.end, parseFloat(b.style.left), parseFloat(b.style.width)])",
    )


def current_time(page):
    return page.evaluate("document.querySelector('.tg-video').currentTime")


def test_upload_two_queries_bars_and_playing(page, tmp_path):
    video = shutil.copy(EXAMPLE, tmp_path / "my clip.mp4")
    upload(page, video)
    said = find(page, VISIBLE)
    assert said["video"] == "my clip.mp4" and [a["query"] for a in said["answers"]] == VISIBLE.split("\n")
    duration_s = said["duration"]
    expected = [
        [max(0.0, min(s, duration_s)) for s in sorted(span)] for answer in said["answers"] for span in answer["spans"]
    ]
    drawn = bars(page)
    assert expected, "the bundled model found neither of two visible things; ask it for something else here"
    for (start_s, end_s), bar in zip(expected, drawn, strict=True):
        assert bar[:2] == pytest.approx([start_s, end_s], abs=0.01)
        assert bar[2:] == pytest.approx([100 * start_s / duration_s, 100 * (end_s - start_s) / duration_s], abs=0.05)
    assert len(page.query_selector_all(".tg-row")) == 2

    start_s, end_s = next(([s, e] for s, e in expected if 0.5 < e - s < 15), expected[0])
    place = expected.index([start_s, end_s])
    page.locator(".tg-bar").nth(place).click()
    page.wait_for_function("start => document.querySelector('.tg-video').currentTime > start + 0.2", arg=start_s)
    page.wait_for_function("document.querySelector('.tg-video').paused", timeout=(end_s - start_s) * 4000 + 30_000)
    assert current_time(page) == pytest.approx(end_s, abs=0.15)
    left = page.evaluate("parseFloat(document.querySelector('.tg-playhead').style.left)")
    assert left == pytest.approx(100 * end_s / duration_s, abs=1)


def test_the_strip_shows_true_times(page):
    page.click("#tg-example-1")
    page.wait_for_selector(".tg-thumbnail img")
    stamps = [float(t.split()[0]) for t in page.locator(".tg-thumbnail figcaption").all_inner_texts()]
    assert len(stamps) == 10 and stamps == sorted(stamps)
    slot_s = probe(EXAMPLE).duration_s / 10
    assert all(abs(t - slot_s * (i + 0.5)) < slot_s / 2 for i, t in enumerate(stamps))


def test_each_example_comes_with_queries_that_fit_it(page):
    """Three clips; the queries that come with each can be asked."""
    for number, name in enumerate(("shapes", "moves", "blinks"), start=1):
        page.click(f"#tg-example-{number}")
        status(page, f"{name}.mp4: ask away")
        queries = page.input_value("#tg-queries textarea")
        assert len(queries.splitlines()) == 3
        assert find(page, queries)["video"] == f"{name}.mp4"


def test_later_queries_share_the_prefix_and_files_are_right(page, tmp_path):
    page.click("#tg-example-1")
    page.wait_for_selector(".tg-thumbnail img")
    find(page, "the blue cross can be seen")
    said = find(page, "the blue cross can be seen\nno such thing")
    assert "prefix is shared" in page.inner_text(".tg-status-text")
    assert all(answer["seconds"] > 0 for answer in said["answers"])
    for kind in ("CSV", "SRT"):
        with page.expect_download() as saved:
            page.get_by_role("link", name=kind).click()
        assert saved.value.suggested_filename == f"shapes.tiny.moments.{kind.lower()}"
        text = saved.value.path().read_text(encoding="utf-8")
        spans = [span for answer in said["answers"] for span in answer["spans"]]
        if kind == "CSV":
            rows = [row for row in csv.DictReader(text.splitlines()) if row["start_s"]]
            assert len(rows) == len(spans)
        else:
            assert text.count(" --> ") == len(spans)
    if page.locator(".tg-save").count():
        start_s, end_s = bars(page)[0][:2]
        with page.expect_download() as saved:
            page.locator(".tg-save").first.click()
        clip = shutil.copy(saved.value.path(), tmp_path / "clip.mp4")
        assert probe(clip).duration_s == pytest.approx(end_s - start_s, abs=0.3)


def test_the_picture_in_the_readme(page):
    """``TIMEGROUND_README_SHOT=1 pytest tests/demo/test_page.py`` makes docs/demo.png anew."""
    page.click("#tg-example-1")
    page.wait_for_selector(".tg-thumbnail img")
    find(page, page.input_value("#tg-queries textarea"))
    assert page.locator(".tg-row").count() == 3
    page.locator(".tg-plot").focus()
    for _ in range(14):
        page.keyboard.press("ArrowRight")
    page.evaluate("document.activeElement.blur()")
    page.wait_for_function("Math.abs(document.querySelector('.tg-video').currentTime - 7) < 0.05")
    page.wait_for_timeout(4000)  # the browser's own controls fade
    shoot(page, "find")
    if os.environ.get("TIMEGROUND_README_SHOT"):
        shutil.copy(SHOTS / "find.png", ROOT / "docs" / "demo.png")


def test_reading_a_video_shows_progress(page, tmp_path, monkeypatch):
    quick = Grounder.read

    def slow(self, video, on_progress):
        def told(share):
            on_progress(share)
            time.sleep(0.1)

        return quick(self, video, on_progress=told)

    monkeypatch.setattr(Grounder, "read", slow)
    video = tmp_path / "long.mp4"
    video.write_bytes(EXAMPLE.read_bytes() + b"\x00\x00\x00\x08free")  # the same under another hash
    upload(page, video)
    page.fill("#tg-queries textarea", "the blue cross can be seen")
    page.click("#tg-find")
    assert "Reading 21 s of video" in _eventually(page, "so far")
    page.wait_for_function("0 < document.querySelector('.tg-status progress').value")
    assert page.evaluate("document.querySelector('.tg-status progress').value") < 1
    assert "read and encoded in" in _eventually(page, "read and encoded in")


def test_keyboard_and_hover(page):
    page.click("#tg-example-1")
    page.wait_for_selector(".tg-thumbnail img")
    said = find(page, VISIBLE)
    plot = page.locator(".tg-plot")
    plot.focus()
    page.keyboard.press("Home")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("Math.abs(document.querySelector('.tg-video').currentTime - 2) < 0.05")
    page.wait_for_function("document.querySelector('.tg-plot').getAttribute('aria-valuetext') === '2.0 s'")
    box = page.locator(".tg-lane").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    middle = float(page.inner_text(".tg-pointer").split()[0])
    assert middle == pytest.approx(said["duration"] / 2, abs=0.2)
    if bars(page):
        bar = page.locator(".tg-bar").first
        assert "Play" in bar.get_attribute("aria-label")
        bar.focus()
        page.keyboard.press("Enter")
        page.wait_for_function("start => document.querySelector('.tg-video').currentTime > start", arg=bars(page)[0][0])


def test_arrow_of_time_shows_both_ways(page):
    page.click("#tg-example-1")
    page.wait_for_selector(".tg-thumbnail img")
    page.get_by_role("tab", name="Arrow of time").click()
    page.fill("#tg-arrow-query textarea, #tg-arrow-query input", "the blue cross can be seen")
    page.click("#tg-arrow")
    assert "Direction score" in status(page, "Direction score")
    page.wait_for_selector(".tg-backwards")
    assert page.locator(".tg-track").count() == 2
    assert page.locator(".tg-title").all_inner_texts() == ["The video as it is", "Played backwards"]
    backward = page.locator(".tg-backwards .tg-bar")
    if backward.count():
        start_s = float(backward.first.get_attribute("data-start"))
        backward.first.click()  # plays the file from the mirrored start on, towards its beginning
        file_s = probe(EXAMPLE).duration_s - start_s
        page.wait_for_function(
            "t => { const now = document.querySelector('.tg-video').currentTime; return now > 0.5 && now < t - 0.3; }",
            arg=file_s,
        )
        first = current_time(page)
        page.wait_for_timeout(600)
        assert current_time(page) <= first
    shoot(page, "arrow")


def test_how_it_sees_time(page):
    page.click("#tg-example-1")
    page.wait_for_selector(".tg-thumbnail img")
    page.get_by_role("tab", name="How it sees time").click()
    page.click("#tg-look")
    page.wait_for_selector(".tg-seen-parts img")
    stamps = [t for t in page.locator(".tg-seen-text").all_inner_texts() if "seconds>" in t]
    frames = page.locator(".tg-seen-parts img").count()
    assert frames == 2 * len(stamps)
    assert page.inner_text(".tg-seen-facts").startswith(f"{frames} frames")
    assert "Raw answer:" in page.inner_text(".tg-seen-answer")
    shoot(page, "seen")


def test_ask_gives_an_answer_with_evidence(page):
    page.click("#tg-example-1")
    page.wait_for_selector(".tg-thumbnail img")
    page.get_by_role("tab", name="Ask").click()
    page.click("#tg-ask")
    said = status(page, "Answer: ")
    if "no option" not in said:
        page.wait_for_selector(".tg-row")
        assert page.inner_text(".tg-label").startswith("evidence: ")
    shoot(page, "ask")


def test_bad_input_is_told_and_the_page_stays_usable(page, tmp_path):
    page.click("#tg-find")
    assert "first" in status(page, "Write what to look for")
    page.fill("#tg-queries textarea", "a cat")
    page.click("#tg-find")
    assert "upload one" in status(page, "Choose a video")
    corrupt = tmp_path / "broken.mp4"
    corrupt.write_bytes(EXAMPLE.read_bytes()[:2000])
    page.set_input_files("#tg-file input[type=file]", corrupt)
    said = status(page, "broken.mp4")
    assert "/" not in said.split(":")[0] and "download it again" in said
    page.click("#tg-example-1")
    page.wait_for_selector(".tg-thumbnail img")
    assert find(page, "the blue cross can be seen")["answers"]


def test_no_script_runs_from_a_query_or_a_file_name(page, tmp_path):
    video = shutil.copy(EXAMPLE, tmp_path / "<img src=x onerror=window.hacked=1>.mp4")
    upload(page, video)
    said = find(page, SCRIPT)
    assert said["answers"][0]["query"] == SCRIPT
    assert page.inner_text(".tg-label") == SCRIPT
    assert page.locator(".tg img[src=x]").count() == 0
    find(page, "${window.hacked=1} {{value}} `")
    assert page.inner_text(".tg-label") == "${window.hacked=1} {{value}} `"


def test_a_query_can_be_cancelled(page, monkeypatch):
    page.click("#tg-example-1")
    page.wait_for_selector(".tg-thumbnail img")
    quick, asked = Watched.ground, []

    def slow(self, queries):
        asked.append(queries)
        time.sleep(1.5)
        return quick(self, queries)

    monkeypatch.setattr(Watched, "ground", slow)
    page.fill("#tg-queries textarea", "\n".join(f"thing {i}" for i in range(8)))
    page.click("#tg-find")
    assert "so far" in _eventually(page, "so far")
    page.click("#tg-cancel")
    status(page, "Cancelled")
    page.wait_for_timeout(3500)
    assert len(asked) < 5
    monkeypatch.undo()
    assert find(page, "the blue cross can be seen")["answers"]


def _eventually(page, part):
    page.wait_for_function("part => document.querySelector('.tg-status-text').textContent.includes(part)", arg=part)
    return page.inner_text(".tg-status-text")


def test_it_fits_a_phone_in_light_and_dark(browser, server):
    for scheme in ("light", "dark"):
        context = browser.new_context(
            viewport={"width": 390, "height": 844}, device_scale_factor=2, is_mobile=True, has_touch=True
        )
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.goto(f"{server.url}?__theme={scheme}")
        page.click("#tg-example-1")
        page.wait_for_selector(".tg-thumbnail img")
        find(page, VISIBLE)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.locator(".tg-thumbnail:visible").count() == 5
        shoot(page, f"phone-{scheme}")
        context.close()
