"""TimeScope and LongTimeScope in lmms-eval (EvolvingLMMs-Lab/lmms-eval 75571cf, ``tasks/timescope/utils.py``).

The reply loses phrases such as "The best answer is"; then the *first* capital A to F anywhere in it is the letter
("Both are right" is B, and "Cannot tell" is C). A reply without one is wrong. Accuracy overall, by length and by kind
of question.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from timeground.data.rows import Row

from ..reading import Prediction, reply_text
from .result import Official, accuracies, missing_notes

GROUPS = ("length", "type")
_PHRASES = (
    "The best answer is", "The correct answer is", "The answer is", "The answer", "The best option is",
    "The correct option is", "Best answer:", "Best option:",
)  # fmt: skip


def letter(reply: str) -> str:
    """Return the letter that the script extracts; "" if there is none."""
    reply = reply.strip()
    for phrase in _PHRASES:
        reply = reply.replace(phrase, "")
    found = re.search("[ABCDEF]", reply)
    return found[0] if found else ""


def evaluate(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """Return accuracy in percent, overall and by length and kind."""
    points = {
        row.id: float(letter(reply_text(predictions[row.id])) == row.answer) for row in rows if row.id in predictions
    }
    return Official(accuracies(rows, points, GROUPS), notes=missing_notes(rows, predictions, len(points)))
