"""Video-MME's own script (BradyFU/Video-MME, ``eval_your_results.py``).

The reply loses phrases such as "The best answer is"; then the *first* capital A to D anywhere in it is the letter
("Both are right" is B). Replies without one are left out of numerator **and** denominator. Accuracy overall and by
length, domain and task. lmms-eval's task for it has an extractor of its own, which counts unreadable replies as
wrong; the strict protocol is closer to that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from timeground.data.rows import Row

from ..reading import Prediction, reply_text
from .result import Official, accuracies

GROUPS = ("duration", "domain", "task_type")
_PHRASES = (
    "The best answer is", "The correct answer is", "The answer is", "The answer",
    "The best option isThe correct option is",  # a comma is missing in the script, so this is one phrase ...
    "Best answer:Best option:",  # ... and so is this
)  # fmt: skip


def letter(reply: str) -> str:
    """Return the letter that the script extracts; "" if there is none."""
    for phrase in _PHRASES:
        reply = reply.strip().replace(phrase, "")
    found = re.search("[ABCD]", reply)
    return found[0] if found else ""


def evaluate(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """Return accuracy in percent, of the replies that hold a letter."""
    letters = {row.id: letter(reply_text(predictions[row.id])) for row in rows if row.id in predictions}
    points = {row.id: float(letters[row.id] == row.answer) for row in rows if letters.get(row.id)}
    left_out = len(rows) - len(points)
    notes = (f"official leaves {left_out} rows without a readable letter out",) if left_out else ()
    return Official(accuracies(rows, points, GROUPS), notes=notes)
