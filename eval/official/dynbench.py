"""Dyn-Bench, question answering (Dynamics-X/Thinking-in-Dynamics): accuracy of three levels and their mean.

The first word of the reply, marks .,;:!? cut off its end, in upper case, must equal the letter: "b." is right for B,
"(B)" is not. ``Overall`` is the mean of the levels that are there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from timeground.data.rows import Row

from ..reading import Prediction, reply_text
from .result import Official, accuracies, macro

GROUPS = ("level",)


def first_token(reply: str) -> str:
    """Return the word that is compared."""
    words = reply.split()
    return words[0].rstrip(".,;:!?").upper() if words else ""


def evaluate(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """Return accuracy by level and Overall, in percent."""
    tokens = {row.id: first_token(reply_text(predictions[row.id])) for row in rows if row.id in predictions}
    points = {row.id: float(tokens[row.id] == row.answer) for row in rows if row.id in tokens}
    metrics = accuracies(rows, points, GROUPS)
    missing = len(rows) - len(points)
    notes = (f"official leaves {missing} rows without a prediction out",) if missing else ()
    return Official(metrics | {"Overall": macro(metrics)}, notes=notes)
