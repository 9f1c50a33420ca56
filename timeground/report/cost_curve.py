"""A drawing of accuracy over cost: one line for each way of answering, over a logarithmic axis."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence

from timeground.report.timeline import COLOURS

WIDTH, HEIGHT, EDGE = 900, 340, 34
LABEL_WIDTH, LABEL_HEIGHT = 120, 14


def cost_curve(lines: Mapping[str, Sequence[tuple[float, float]]], axes: tuple[str, str]) -> str:
    """Return an SVG of steps: how many percent are reached at each cost. axes: what is across, and up.

    lines: by name, points (cost, percent) in order of cost; costs of 0 or less stand at the left edge. Each line ends
    with a dot and its name.
    """
    costs = [cost for points in lines.values() for cost, _ in points if cost > 0]
    if not costs:
        return ""
    low, high = math.floor(math.log10(min(costs))), math.ceil(math.log10(max(costs)) + 1e-9)
    across = _Scale(low, max(high, low + 1))
    top = max(10.0, 10 * math.ceil(max(y for points in lines.values() for _, y in points) / 10))
    marks = [_frame(axes, top), *_ticks(across)]
    labels: list[tuple[float, float]] = []
    for number, (name, points) in enumerate(lines.items()):
        if points:
            place = _free(across(points[-1][0]) + 9, _height(points[-1][1], top) + 4, labels)
            labels.append(place)
            marks.append(_line(name, points, across, top, COLOURS[number % len(COLOURS)], place))
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(marks)}</svg>'


class _Scale:
    """Where a cost stands, between two powers of ten."""

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high

    def __call__(self, cost: float) -> float:
        share = (math.log10(max(cost, 10.0**self.low)) - self.low) / (self.high - self.low)
        return EDGE + share * (WIDTH - 130 - EDGE)


def _height(percent: float, top: float) -> float:
    return HEIGHT - EDGE - percent / top * (HEIGHT - 2 * EDGE)


def _frame(axes: tuple[str, str], top: float) -> str:
    return (
        f'<path class="rest" d="M{EDGE} {EDGE} V{HEIGHT - EDGE} H{WIDTH}"/>'
        f'<text x="{EDGE}" y="{EDGE - 12}">{html.escape(axes[1])}, 0 to {top:.0f} %</text>'
        f'<text x="{WIDTH}" y="{HEIGHT - 4}" text-anchor="end">{html.escape(axes[0])}</text>'
    )


def _ticks(across: _Scale) -> list[str]:
    found = []
    for power in range(across.low, across.high + 1):
        x = across(10.0**power)
        found.append(f'<path class="rest" d="M{x:.1f} {EDGE} V{HEIGHT - EDGE}"/>')
        found.append(f'<text x="{x:.1f}" y="{HEIGHT - EDGE + 14}" text-anchor="middle">{10.0**power:,.0f}</text>')
    return found


def _free(x: float, y: float, taken: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return where a label stands, below others that it would hide."""
    while any(abs(x - other_x) < LABEL_WIDTH and abs(y - other_y) < LABEL_HEIGHT for other_x, other_y in taken):
        y += LABEL_HEIGHT
    return x, y


def _line(
    name: str,
    points: Sequence[tuple[float, float]],
    across: _Scale,
    top: float,
    colour: str,
    place: tuple[float, float],
) -> str:
    steps = [f"M{across(points[0][0]):.1f} {_height(0, top):.1f}"]
    steps += [f"H{across(cost):.1f} V{_height(percent, top):.1f}" for cost, percent in points]
    x, y = across(points[-1][0]), _height(points[-1][1], top)
    return (
        f'<path style="stroke:{colour}" d="{" ".join(steps)}"/>'
        f'<circle style="fill:{colour}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
        f'<text class="name" x="{place[0]:.1f}" y="{place[1]:.1f}">{html.escape(name)} {points[-1][1]:.1f}</text>'
    )
