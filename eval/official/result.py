"""What an official evaluator gives back, and the arithmetic that several of them share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from timeground.data.rows import Row

from ..matching import Pair
from ..reading import Prediction, read_spans


@dataclass(frozen=True, slots=True)
class Official:
    """A benchmark's own numbers."""

    metrics: dict[str, float | None]
    """By name, in percent; None where the evaluator gives no number."""
    layout: dict[str, Any] | None = None
    """The benchmark's own JSON, in its own units, if it has one."""
    notes: tuple[str, ...] = ()
    """Where the evaluator would have stopped, or does something that changes the number."""


Evaluator = Callable[[Sequence[Row], Mapping[str, Prediction]], Official]


def percent(values: Iterable[float]) -> float | None:
    """Return the mean times 100; None without values."""
    listed = list(values)
    return 100 * sum(listed) / len(listed) if listed else None


def raw_spans(prediction: Prediction) -> list[Pair]:
    """Return spans as given; where there is only a reply, what timeground's grammar reads in it."""
    if prediction.spans is not None:
        return list(prediction.spans)
    return [(span.start_s, span.end_s) for span in read_spans(prediction).spans]


def hull_iou(a: Pair, b: Pair) -> float:
    """Return intersection over the hull, as most evaluators write IoU.

    Equal points, which they divide by zero for, give 0.
    """
    hull_s = max(a[1], b[1]) - min(a[0], b[0])
    return max(0.0, min(a[1], b[1]) - max(a[0], b[0])) / hull_s if hull_s > 0 else 0.0


def missing_notes(rows: Sequence[Row], predictions: Mapping[str, Prediction], num_scored: int) -> tuple[str, ...]:
    """Say what predictions keyed by row do to the denominator: what is missing is out, duplicates collapse."""
    answered = sum(row.id in predictions for row in rows)
    notes = []
    if answered < len(rows):
        notes.append(f"official leaves {len(rows) - answered} rows without a prediction out of its denominator")
    if num_scored < answered:
        notes.append(f"official scores {answered - num_scored} rows that repeat another only once")
    return tuple(notes)


def accuracies(rows: Sequence[Row], points: Mapping[str, float], groups: Sequence[str]) -> dict[str, float | None]:
    """Return ``accuracy`` over the rows that have points, and ``accuracy/<name>`` for each value of `groups`.

    groups: keys of the rows' meta. A row whose value is a list counts in each of its groups.
    """
    found: dict[str, list[float]] = {"accuracy": []}
    for row in rows:
        for name in ("accuracy", *(f"accuracy/{group}" for group in groups_of(row, groups))):
            found.setdefault(name, [])
            if row.id in points:
                found[name].append(points[row.id])
    return {name: percent(values) for name, values in found.items()}


def groups_of(row: Row, keys: Sequence[str]) -> list[str]:
    """Return the groups that a row belongs to, by its meta values."""
    values = [row.meta[key] for key in keys if row.meta.get(key) is not None]
    return [str(name) for value in values for name in (value if isinstance(value, list) else [value])]


def macro(metrics: Mapping[str, float | None]) -> float | None:
    """Average the groups' accuracies, each group counting the same; None without groups that have a number."""
    known = [value for name, value in metrics.items() if name.startswith("accuracy/") and value is not None]
    return sum(known) / len(known) if known else None
