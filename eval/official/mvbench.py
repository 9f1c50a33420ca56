"""MVBench's matching (OpenGVLab/Ask-Anything; the same function is in daniel-cores/tvbench, where it was read).

The first word of the lower-case reply, full stops taken out, must lie in the right option's "(a)", or hold it. So "A",
"(A)", "a." and "A) ..." are right for (A), "Answer: A" is not - and **an empty reply is always right**, because "" lies
in every text. MVBench reports the mean over tasks (``Avg``), TVBench accuracy over all items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from timeground.records import Row

from ..reading import Prediction, reply_text
from .result import Official, accuracies, macro

GROUPS = ("task",)


def is_right(reply: str, answer: str) -> bool:
    """Whether the matching calls a reply right; ``answer`` is the right letter."""
    first, option = reply.lower().split(" ")[0], f"({answer.lower()})"
    return first.replace(".", "") in option or option in first


def evaluate_tvbench(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """Accuracy in percent over all items answered, and by task."""
    points = {
        row.id: float(is_right(reply_text(predictions[row.id]), row.answer or ""))
        for row in rows
        if row.id in predictions
    }
    notes = []
    if empty := sum(row.id in predictions and not reply_text(predictions[row.id]).strip(". (") for row in rows):
        notes.append(f"official counts {empty} empty replies as right")
    if len(points) < len(rows):
        notes.append(f"official leaves {len(rows) - len(points)} rows without a prediction out")
    return Official(accuracies(rows, points, GROUPS), notes=tuple(notes))


def evaluate(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """The same with the mean over tasks."""
    found = evaluate_tvbench(rows, predictions)
    return Official(found.metrics | {"Avg": macro(found.metrics)}, notes=found.notes)
