"""Pages of reports in a real browser: rows are searched, sorted, filtered and opened; nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from timeground.eval.compare import compare
from timeground.eval.compare_page import write_page
from timeground.eval.published import published
from timeground.eval.samples import Sample
from timeground.eval.tasks import SHIPPED

from tests.support.chromium import open_chromium
from timeground.report.page import Page
from timeground.report.row_table import Column, TableRow

COLUMNS = (Column("asked"), Column("kind", is_filter=True), Column("worth", is_number=True))
ROWS = [TableRow([f"query {n} <b>", "odd" if n % 2 else "even", n / 40], [f"more of {n} & <i>"]) for n in range(40)]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    path = tmp_path_factory.mktemp("page") / "page.html"
    made = Page("A <page>")
    made.intervals("scores", {"mIoU": [(50.0, 40.0, 60.0)], "R1@0.5": [(10.0, None, None), (90.0, 80.0, 100.0)]})
    made.rows(COLUMNS, ROWS, [(2, "desc")])
    made.write(path)
    with open_chromium() as browser:
        shown = browser.new_page(viewport={"width": 1000, "height": 900})
        shown.errors = []
        shown.requests = []
        shown.on("pageerror", lambda error: shown.errors.append(str(error)))
        shown.on("dialog", lambda dialog: shown.errors.append(dialog.message))
        shown.on("request", lambda request: shown.requests.append(request.url))
        shown.goto(path.as_uri())
        yield shown
        assert shown.errors == [] and [url for url in shown.requests if not url.startswith(("file:", "data:"))] == []


def asked(page: Any) -> list[str]:
    return [cell.inner_text() for cell in page.query_selector_all(".rows tbody tr td:nth-child(2)")]


def test_rows_are_sorted_searched_and_filtered(page: Any) -> None:
    rows = page.locator(".rows tbody tr")
    expect(rows).to_have_count(25)
    assert asked(page)[:2] == ["query 39 <b>", "query 38 <b>"]
    page.get_by_role("searchbox").fill('"query 3"')
    expect(rows).to_have_count(11)
    assert all("query 3" in text for text in asked(page))
    page.locator(".filters select").select_option("odd")
    expect(rows).to_have_count(6)
    assert asked(page) == [f"query {n} <b>" for n in (39, 37, 35, 33, 31, 3)]
    page.locator("th", has_text="worth").click()
    expect(rows.first).to_contain_text("query 3 <b>")
    page.locator(".filters select").select_option("all")
    page.get_by_role("searchbox").fill("")
    expect(rows).to_have_count(25)


def test_a_row_is_opened_and_closed(page: Any) -> None:
    button, detail = page.locator("button[data-detail]").first, page.locator("td.detail")
    asked_of = asked(page)[0].split()[1]
    button.click()
    expect(detail).to_contain_text(f"more of {asked_of} & <i>")
    assert button.get_attribute("aria-expanded") == "true"
    button.click()
    expect(detail).to_have_count(0)


def test_charts_fill_the_width(page: Any) -> None:
    box = page.locator("svg").bounding_box()
    assert box["width"] > 0.9 * page.locator("body").bounding_box()["width"] - 40


def sample(number: int, worth: float, text: str) -> Sample:
    return Sample(number, f"r{number}", "synth", f"v{number}.mp4", text, iou=worth, metrics={"mIoU": worth})


def test_the_page_of_two_runs_has_every_row_of_both(tmp_path: Path) -> None:
    a = [sample(n, n / 10, f"a says {n}") for n in range(10)]
    b = [sample(n, (9 - n) / 10, f"b says {n}") for n in range(1, 11)]
    write_page(tmp_path / "page.html", compare(a, b), a, b, ("first", "second"))
    text = (tmp_path / "page.html").read_text()
    assert all(f"a says {n}" in text and f"b says {n}" in text for n in range(1, 10))
    assert "a says 0" not in text and "b says 10" not in text and "A: first, B: second" in text


def test_published_numbers_are_of_tasks_that_there_are() -> None:
    import yaml
    from timeground.eval.published import FILE

    names = {entry["name"] for entry in yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))}
    for entry in yaml.safe_load(FILE.read_text(encoding="utf-8")):
        assert set(entry["tasks"]) <= names and entry["source"] and entry["protocol"]
    (eight,) = [one for one in published("charades-timelens") if one.model == "TimeLens-8B"]
    assert eight.metrics["mIoU"] == 55.2 and published("synth") == ()
