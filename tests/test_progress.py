"""Bars say how far, how fast and how long; without a terminal a line every 30 seconds does."""

from __future__ import annotations

import io

from rich.console import Console

from timeground.progress import Bars, size


def shown(terminal: bool, steps: list[tuple[float, float, str | None]], unit: str = "steps", **options: object) -> str:
    """What is printed of updates at given seconds: (time, completed, what else)."""
    out, now = io.StringIO(), [0.0]
    console = Console(file=out, force_terminal=terminal, width=120, color_system=None)
    with Bars(console=console, now_s=lambda: now[0], **options) as bars:
        bar = bars.add("training", 1000, unit, 100)
        for now_s, completed, more in steps:
            now[0] = now_s
            bars.update(bar, completed, more)
    return out.getvalue()


def test_without_a_terminal_a_line_every_half_minute():
    steps = [(float(second), 100.0 + second, f"loss {second}") for second in range(1, 91)]
    assert shown(False, steps).splitlines() == [
        f"training: {100 + s}/1000, 1.00 steps/s, {left} left, loss {s}"
        for s, left in ((30, "0:14:30"), (60, "0:14:00"), (90, "0:13:30"))
    ]
    assert shown(False, steps, shown=False) == ""


def test_a_terminal_has_a_bar_with_rate_and_estimate():
    said = shown(True, [(10.0, 200.0, "loss 0.5")])
    assert "training" in said and "200/1000, 10.00 steps/s, 0:01:20 left, loss 0.5" in said


def test_slow_work_and_bytes_are_counted_as_people_do():
    assert "40 s for one of the videos" in shown(False, [(40.0, 101.0, None)], unit="videos")
    assert "600 bytes/1.0 kB, 10 bytes/s" in shown(False, [(50.0, 600.0, None)], unit="B")
    assert [size(n) for n in (12, 1500, 2_500_000, 17.5e9)] == ["12 bytes", "1.5 kB", "2.5 MB", "17.5 GB"]
