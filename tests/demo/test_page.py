"""Chromium drives the real page on the bundled model.

What the model says is not judged here: bars are compared with the JSON that the page offers.
"""

from __future__ import annotations

import csv
import json
import shutil
import time
from pathlib import Path

import pytest

from tests.demo.conftest import ANSWERED, EXAMPLE
from timeground.media.decode import probe
from timeground.methods.grounder import Grounder, Watched

SCRIPT = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>"
VISIBLE = "the blue cross can be seen\nthe white triangle is visible"


def upload(page, path):
    page.set_input_files("#tg-choose input[type=file]", path)
    status(page, f"{path.name}: ask away")


def take_example(page, number=1):
    page.click(f"#tg-example-{number}")
    page.wait_for_selector(f"#tg-example-{number}[aria-pressed=true]")
    page.wait_for_selector(ANSWERED)


def status(page, begins):
    page.wait_for_function(
        "begins => document.querySelector('.tg-status-text').textContent.startsWith(begins)", arg=begins
    )
    return page.inner_text(".tg-status-text")


TABS = {"Find": "find", "Ask": "ask", "Arrow of time": "arrow", "Model's view": "look"}


def open_tab(page, name):
    page.get_by_role("tab", name=name).click()
    page.wait_for_function("tab => window.tgTab === tab", arg=TABS[name])


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
    video = Path(shutil.copy(EXAMPLE, tmp_path / "my clip.mp4"))
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
    left = page.evaluate("parseFloat(document.querySelector('.tg-axis .tg-playhead').style.left)")
    assert left == pytest.approx(100 * end_s / duration_s, abs=1)


def test_the_strip_shows_true_times(page):
    stamps = [float(t.split()[0]) for t in page.locator(".tg-thumbnail figcaption").all_inner_texts()]
    assert len(stamps) == 10 and stamps == sorted(stamps)
    slot_s = probe(EXAMPLE).duration_s / 10
    assert all(abs(t - slot_s * (i + 0.5)) < slot_s / 2 for i, t in enumerate(stamps))


def test_each_example_comes_with_queries_that_fit_it_and_is_answered(page):
    """Three clips; each is shown with its queries, which are asked when it is taken."""
    for number, name in enumerate(("shapes", "moves", "blinks"), start=1):
        shown = page.inner_text(f"#tg-example-{number}")
        take_example(page, number)
        status(page, "An example, answered")
        queries = page.input_value("#tg-queries textarea").splitlines()
        assert len(queries) == 3 and shown.startswith(name) and all(query in shown for query in queries)
        assert page.locator(".tg-label").all_inner_texts() == queries
        assert download_json(page)["video"] == f"{name}.mp4"


def test_later_queries_share_the_prefix_and_files_are_right(page, tmp_path):
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
    said = find(page, VISIBLE)
    page.locator(".tg-axis").focus()
    page.keyboard.press("Home")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("Math.abs(document.querySelector('.tg-video').currentTime - 2) < 0.05")
    page.wait_for_function("document.querySelector('.tg-axis').getAttribute('aria-valuetext') === '2.0 s'")
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
    open_tab(page, "Arrow of time")
    page.fill("#tg-arrow-query textarea, #tg-arrow-query input", "the blue cross can be seen")
    page.click("#tg-arrow")
    page.wait_for_selector(".tg-backwards")
    assert "Direction score" in page.inner_text(".tg-score")
    assert page.locator(".tg-track").count() == 2
    assert page.locator(".tg-title").all_inner_texts() == ["The video as it is", "Played backwards"]
    backward = page.locator(".tg-backwards .tg-bar")
    if backward.count():
        start_s = float(backward.first.get_attribute("data-start"))
        backward.first.click()  # plays the file from the mirrored start on, towards its beginning
        file_s = probe(EXAMPLE).duration_s - start_s
        for place in ("Math.abs(now - t) < 1", "now > 0.5 && now < t - 0.3"):
            page.wait_for_function(
                f"t => {{ const now = document.querySelector('.tg-video').currentTime; return {place}; }}", arg=file_s
            )
        first = current_time(page)
        page.wait_for_timeout(600)
        assert current_time(page) <= first


def test_how_it_sees_time(page):
    open_tab(page, "Model's view")
    page.click("#tg-look")
    page.wait_for_selector(".tg-seen-parts img")
    stamps = [t for t in page.locator(".tg-seen-text").all_inner_texts() if "seconds>" in t]
    frames = page.locator(".tg-seen-parts img").count()
    assert frames == 2 * len(stamps)
    assert page.inner_text(".tg-seen-facts").startswith(f"{frames} frames")
    assert "Raw answer" in page.inner_text(".tg-seen-answer")


def test_ask_gives_bars_with_percentages_and_evidence(page):
    open_tab(page, "Ask")
    page.click("#tg-ask")
    status(page, "Answer: ")
    page.wait_for_selector(ANSWERED)
    said = page.inner_text(".tg-status-text")
    options = page.input_value("#tg-options textarea").splitlines()
    assert page.locator(".tg-option-text").all_inner_texts() == options
    percents = [int(text.split()[0]) for text in page.locator(".tg-percent").all_inner_texts()]
    widths = page.eval_on_selector_all(".tg-share i", "all => all.map(bar => parseFloat(bar.style.width))")
    assert sum(percents) == pytest.approx(100, abs=2) and widths == pytest.approx(percents, abs=0.6)
    if "no option" not in said:
        page.wait_for_selector(".tg-row")
        assert page.inner_text(".tg-label").startswith("Evidence: ")
        assert page.inner_text(".tg-is-chosen .tg-option-text") in said


def test_a_tab_shows_its_own_result_only(page):
    found = page.locator(".tg-label").all_inner_texts()
    open_tab(page, "Ask")
    page.wait_for_selector(".tg-hint")
    assert page.locator(".tg-row").count() == 0 and page.locator(".tg-thumbnail").count() == 10
    page.click("#tg-ask")
    status(page, "Answer: ")
    page.wait_for_selector(ANSWERED)  # the evidence is found
    open_tab(page, "Find")
    assert page.locator(".tg-label").all_inner_texts() == found and page.locator(".tg-option").count() == 0
    assert "Answer" not in page.inner_text(".tg-status-text")
    take_example(page, 2)
    open_tab(page, "Ask")
    page.wait_for_selector(".tg-hint")  # that answer was about another video


def test_bad_input_is_told_and_the_page_stays_usable(page, tmp_path):
    page.fill("#tg-queries textarea", " ")
    page.click("#tg-find")
    assert "first" in status(page, "Write what to look for")
    corrupt = tmp_path / "broken.mp4"
    corrupt.write_bytes(EXAMPLE.read_bytes()[:2000])
    for _ in range(2):  # the box takes the same file again
        page.set_input_files("#tg-choose input[type=file]", corrupt)
        page.wait_for_selector(".tg-refused:not([hidden])")
        said = page.inner_text(".tg-refused")
        assert said.startswith("broken.mp4: ") and "/" not in said.split(":")[0] and "download it again" in said
        page.evaluate("document.querySelector('.tg-refused').hidden = true")
    assert find(page, "the blue cross can be seen")["video"] == "shapes.mp4"  # the one before is still chosen
    upload(page, Path(shutil.copy(EXAMPLE, tmp_path / "good.mp4")))
    assert find(page, "the blue cross can be seen")["video"] == "good.mp4"


def test_too_large_a_file_is_refused_before_it_is_sent(page):
    assert "500 MB and 20 minutes" in page.inner_text(".tg-limits")
    sent = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.evaluate(
        """() => {
            const large = new DataTransfer(), file = new File(["x"], "large.mp4");
            Object.defineProperty(file, "size", { value: 6e8 });
            Object.defineProperty(large, "files", { value: [file] });
            const drop = new Event("drop", { cancelable: true });
            drop.dataTransfer = large;
            document.querySelector(".tg-drop").dispatchEvent(drop);
        }"""
    )
    assert page.inner_text(".tg-refused").startswith("large.mp4: 600 MB, and at most 500 are taken")
    assert not any("upload" in url for url in sent)


def test_no_script_runs_from_a_query_or_a_file_name(page, tmp_path):
    video = Path(shutil.copy(EXAMPLE, tmp_path / "<img src=x onerror=window.hacked=1>.mp4"))
    upload(page, video)
    said = find(page, SCRIPT)
    assert said["answers"][0]["query"] == SCRIPT
    assert page.inner_text(".tg-label") == SCRIPT
    assert page.locator(".tg img[src=x]").count() == 0
    find(page, "${window.hacked=1} {{value}} `")
    assert page.inner_text(".tg-label") == "${window.hacked=1} {{value}} `"


def test_a_query_can_be_cancelled(page, monkeypatch):
    quick, asked = Watched.ground, []

    def slow(self, queries):
        asked.append(queries)
        time.sleep(1.5)
        return quick(self, queries)

    monkeypatch.setattr(Watched, "ground", slow)
    assert not page.is_visible(".tg-cancel")
    page.fill("#tg-queries textarea", "\n".join(f"thing {i}" for i in range(8)))
    page.click("#tg-find")
    assert "so far" in _eventually(page, "so far")
    page.click(".tg-cancel")
    status(page, "Cancelled")
    assert not page.is_visible(".tg-cancel")  # only while something runs
    page.wait_for_timeout(3500)
    assert len(asked) < 5
    monkeypatch.undo()
    assert find(page, "the blue cross can be seen")["answers"]


def _eventually(page, part):
    page.wait_for_function("part => document.querySelector('.tg-status-text').textContent.includes(part)", arg=part)
    return page.inner_text(".tg-status-text")
