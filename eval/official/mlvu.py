"""MLVU, multiple choice of the dev set (JUNJIE99/MLVU, ``evaluation/multiple_choice_evaluation/choice_bench.py``).

The one character before the first ")" of the reply, or the whole reply if there is none, must equal the right letter:
"B", "(B)" and "It is B) y" are right for B; "b", "B." and "B y" are not. An item whose answer is none of its candidates
is always wrong. **M-Avg**, which the script calls ``Avg``, is the unweighted mean of the tasks' accuracies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from timeground.data.rows import Row

from ..reading import Prediction, reply_text
from .result import Official, accuracies, macro

GROUPS = ("task",)


def letter(reply: str) -> str:
    """Return what is compared with the right letter."""
    before, mark, _ = reply.partition(")")
    return before[-1:] if mark else reply


def evaluate(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """Return accuracy by task and M-Avg, in percent."""
    answered = [row for row in rows if row.id in predictions]
    points = {row.id: float(letter(reply_text(predictions[row.id])) == row.answer) for row in answered}
    metrics = accuracies(rows, points, GROUPS)
    missing = len(rows) - len(points)
    notes = (f"official leaves {missing} rows without a prediction out",) if missing else ()
    return Official(metrics | {"M-Avg": macro(metrics)}, notes=notes)
