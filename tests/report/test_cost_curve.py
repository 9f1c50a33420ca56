"""The drawing of accuracy over cost: places on its axes, labels that hide nothing."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from timeground.report.cost_curve import EDGE, HEIGHT, LABEL_HEIGHT, WIDTH, cost_curve

AXES = ("visual <tokens>", "mIoU")


def labels(svg: str) -> dict[str, tuple[float, float]]:
    found = re.findall(r'<text class="name" x="([\d.]+)" y="([\d.]+)">(.*?)</text>', svg)
    return {name: (float(x), float(y)) for x, y, name in found}


def test_a_decade_is_as_wide_everywhere_and_percent_goes_up() -> None:
    svg = cost_curve({"a": [(10, 20.0)], "b": [(100, 40.0)], "c": [(1000, 60.0)]}, AXES)
    (ax, ay), (bx, by), (cx, cy) = labels(svg).values()
    assert bx - ax == pytest.approx(cx - bx, abs=0.2) and ay - by == pytest.approx(by - cy, abs=0.2)
    assert EDGE < ax < cx < WIDTH and 0 < cy < ay < HEIGHT
    assert "visual &lt;tokens&gt;" in svg and list(labels(svg)) == ["a 20.0", "b 40.0", "c 60.0"]
    ElementTree.fromstring(svg)


def test_labels_of_equal_ends_stand_below_each_other() -> None:
    svg = cost_curve({name: [(100, 50.0)] for name in ("a", "b", "c")}, AXES)
    heights = [y for _, y in labels(svg).values()]
    assert heights == [heights[0] + n * LABEL_HEIGHT for n in range(3)]


def test_nothing_is_drawn_of_no_costs() -> None:
    assert cost_curve({"a": [], "b": [(0, 10.0)]}, AXES) == ""
    assert labels(cost_curve({"free": [(0, 10.0)], "a": [(10, 5.0)]}, AXES))["free 10.0"][0] == EDGE + 9
