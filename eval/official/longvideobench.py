"""LongVideoBench as lmms-eval scores it: the first A to E anywhere in the reply, "Apple" included.

Phrases such as "The best answer is" are taken out first. Where no letter is found the evaluator **draws one at
random**; here such a reply counts what that is worth on average, 1 / number of options, so that the number repeats.
Accuracy overall, by length group and by category of question.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from timeground.data.rows import Row

from ..reading import Prediction, reply_text
from .result import Official, accuracies

GROUPS = ("duration_group", "question_category")
_PHRASES = (
    "The best answer is", "The correct answer is", "The answer is", "The answer", "The best option is",
    "The correct option is", "Best answer:", "Best option:",
)  # fmt: skip


def letter(reply: str) -> str:
    """Return the letter that the evaluator extracts; "" where it would draw one."""
    for phrase in _PHRASES:
        reply = reply.strip().replace(phrase, "")
    found = re.search("[ABCDE]", reply)
    return found[0] if found else ""


def evaluate(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """Return accuracy in percent; replies without a letter count 1 / number of options."""
    answered = [row for row in rows if row.id in predictions]
    letters = {row.id: letter(reply_text(predictions[row.id])) for row in answered}
    chance = {row.id: 1 / len(row.options or "ABCDE") for row in answered}
    points = {r.id: float(letters[r.id] == r.answer) if letters[r.id] else chance[r.id] for r in answered}
    notes = []
    if drawn := sum(not said for said in letters.values()):
        notes.append(f"official draws {drawn} letters at random; they count what that is worth on average")
    if len(answered) < len(rows):
        notes.append(f"official leaves {len(rows) - len(answered)} rows without a prediction out")
    return Official(accuracies(rows, points, GROUPS), notes=tuple(notes))
