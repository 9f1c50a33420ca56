"""What answers took: calls, frames, visual tokens and seconds a query, and how much accuracy each budget buys.

Looks of a draft are counted apart. Seconds are kept beside the answers as they come, because they are others each time
while everything else of a run is the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from timeground.files.json_text import dump_json, lines_of
from timeground.files.whole_files import output_errors

from ..samples import Sample


@dataclass(frozen=True)
class Cost:
    """What one answer took, or what answers took on average."""

    calls: float
    """Answers that the model was asked for."""
    frames: float
    visual_tokens: float
    draft_tokens: float
    """Visual tokens that a draft read, which are not among `visual_tokens`."""

    @property
    def total_tokens(self) -> float:
        """Return all visual tokens."""
        return self.visual_tokens + self.draft_tokens


def cost_of(trace: Mapping[str, Any]) -> Cost:
    """Return what an answer took, from its trace."""
    looks = trace.get("looks", [])
    tokens = {False: 0, True: 0}
    for look in looks:
        tokens[bool(look.get("draft", False))] += look["visual_tokens"]
    return Cost(trace.get("num_calls", 0), sum(look["num_frames"] for look in looks), tokens[False], tokens[True])


def mean_cost(samples: Sequence[Sample]) -> Cost | None:
    """Return what the answered rows took on average; None where none has a trace."""
    costs = [cost_of(sample.trace) for sample in samples if sample.trace]
    if not costs:
        return None
    return Cost(*(round(fmean(values), 2) for values in zip(*(asdict(one).values() for one in costs), strict=True)))


def budget_curve(samples: Sequence[Sample], metric: str) -> list[tuple[float, float]]:
    """Return (visual tokens, percent): what a metric would be if answers that took more were worth nothing.

    Every row that has the metric counts; the last point is the whole number, unless rows have no trace.
    """
    counted = [sample for sample in samples if metric in sample.metrics]
    priced = sorted((cost_of(sample.trace).total_tokens, sample.metrics[metric]) for sample in counted if sample.trace)
    points: list[tuple[float, float]] = []
    worth = 0.0
    for tokens, value in priced:
        worth += value
        point = (tokens, 100 * worth / len(counted))
        if points and points[-1][0] == tokens:
            points[-1] = point
        else:
            points.append(point)
    return points


class SecondsFile:
    """How long each row was worked at, of one process for one task; reads those of all processes."""

    def __init__(self, folder: Path, rank: int) -> None:
        self.folder, self.path = folder, folder / f"seconds-{rank}.jsonl"

    def add(self, seconds: Mapping[str, float]) -> None:
        """Write the seconds of some rows, by row id."""
        if not seconds:
            return
        line = dump_json({row_id: round(time_s, 3) for row_id, time_s in seconds.items()})
        with output_errors(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def read(self) -> dict[str, float]:
        """Return the seconds of each row, of the last time that it was asked; lines that a kill cut are left out."""
        found: dict[str, float] = {}
        for path in sorted(self.folder.glob("seconds-*.jsonl")):
            for line in lines_of(path.read_text(encoding="utf-8", errors="replace")):
                try:
                    told = json.loads(line)
                except ValueError:
                    continue
                found |= told if isinstance(told, dict) else {}
        return found


def mean_seconds(seconds: Mapping[str, float], samples: Sequence[Sample]) -> float | None:
    """Return the mean seconds of the rows that were timed; None where none was."""
    timed = [seconds[sample.id] for sample in samples if sample.id in seconds]
    return round(fmean(timed), 3) if timed else None
