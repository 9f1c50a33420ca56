"""The curves of a run as a picture."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

from timeground.files.json_text import lines_of
from timeground.files.whole_files import writing

SHOWN = ("loss", "reward", "reward_spread", "iou", "silent_groups", "entropy", "kl", "validation_miou")


def draw_curves(output: Path) -> None:
    """Write ``curves.png`` from ``metrics.jsonl``: one panel a quantity, a running mean over the single steps."""
    path = output / "metrics.jsonl"
    lines = [json.loads(line) for line in lines_of(path.read_text(encoding="utf-8"))] if path.exists() else []
    found: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for line in lines:
        for name in line:
            if name in SHOWN or name.startswith("reward/"):
                found[name].append((line["step"], line[name]))
    if not found:
        return
    from matplotlib.figure import Figure

    columns = min(3, len(found))
    rows = -(-len(found) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.6 * rows), layout="constrained")
    for place, (name, points) in enumerate(sorted(found.items())):
        axes = figure.add_subplot(rows, columns, place + 1)
        steps, values = zip(*points, strict=True)
        axes.plot(steps, values, color="#b8c4d6", linewidth=0.8)
        axes.plot(steps, _smooth(list(values)), color="#1f4e9c", linewidth=1.6)
        axes.set_title(name, fontsize=9)
        axes.tick_params(labelsize=7)
    with writing(output / "curves.png") as part:
        figure.savefig(part, dpi=110, format="png")


def _smooth(values: list[float], window: int = 20) -> list[float]:
    """The mean of the last `window` values at each place."""
    means = []
    for place in range(len(values)):
        recent = values[max(0, place - window + 1) : place + 1]
        means.append(sum(recent) / len(recent))
    return means
