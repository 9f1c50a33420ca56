"""What changed frames tell: does an answer come from the video, and from its order?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from timeground.data.rows import Row
from timeground.metrics.direction import directional_discrimination

from ..scores import Scores
from ..tasks import Task
from .answers import CLEAN, Answer, predictions

DIRECTIONS = ("sensitive", "insensitive", "unknown")


def probe_result(task: Task, answers: Mapping[tuple[str, str], Answer], probe: str, clean: Scores) -> dict[str, Any]:
    """Return the strict metrics on changed frames, each with its difference to the clean ones.

    reversed: spans are compared with the mirrored truth, and ArrowGEV's directional discrimination is told for each
    sensitivity label. blank: questions right without seeing the video. Choices: how far apart the options'
    probabilities are from those on clean frames (Jensen-Shannon divergence in bits, mean over rows).
    """
    said = predictions(task.rows, answers, probe)
    rows = [row.mirrored() for row in task.rows] if probe == "reversed" else task.rows
    changed = replace(task, rows=rows).score(said)
    result: dict[str, Any] = {
        "strict": {name: _rounded(value) for name, value in changed.strict.items()},
        "difference": {
            name: _rounded(value - before)
            for name, value in changed.strict.items()
            if value is not None and (before := clean.strict.get(name)) is not None
        },
    }
    if probe == "reversed" and task.spec.answer == "ground":
        result["directional_discrimination"] = discrimination_by_label(task.rows, clean, changed)
    if probe == "blank" and task.spec.answer != "ground":
        result["right_without_seeing"] = _right(changed)
    divergences = [
        jensen_shannon(a.shares, b.shares)
        for row in task.rows
        if (a := answers.get((row.id, CLEAN))) and (b := answers.get((row.id, probe))) and a.shares and b.shares
    ]
    if divergences:
        result["option_divergence_bits"] = round(sum(divergences) / len(divergences), 4)
    return result


def discrimination_by_label(rows: Sequence[Row], forward: Scores, backward: Scores) -> dict[str, Any]:
    """Give (R1@t forward - R1@t backward) / R1@t forward at t = 0.3, 0.5, 0.7 for each label; None where undefined."""
    pairs = [
        (row.direction, f.iou or 0.0, b.iou or 0.0)
        for row, f, b in zip(rows, forward.samples, backward.samples, strict=True)
        if row.spans
    ]
    found: dict[str, Any] = {}
    for label in DIRECTIONS:
        ious = [(f, b) for direction, f, b in pairs if direction == label]
        if not ious:
            continue
        before, after = zip(*ious, strict=True)
        found[label] = {"rows": len(ious)} | {
            f"TDD@{t:g}": _rounded(directional_discrimination(before, after, t)) for t in (0.3, 0.5, 0.7)
        }
    return found


def jensen_shannon(p: Sequence[float], q: Sequence[float]) -> float:
    """Return the divergence of two distributions in bits, from 0 (equal) to 1 (nothing in common)."""
    middle = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
    return (_relative(p, middle) + _relative(q, middle)) / 2


def _relative(p: Sequence[float], q: Sequence[float]) -> float:
    return sum(a * math.log2(a / b) for a, b in zip(p, q, strict=True) if a > 0)


def _right(scores: Scores) -> float:
    """Return the share of questions with the right answer."""
    return round(sum(bool(s.correct) for s in scores.samples) / max(1, len(scores.samples)), 4)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
