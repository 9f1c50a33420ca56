"""MLVU, multiple choice of the dev set (JUNJIE99/MLVU, ``choice_bench.py``): M-Avg.

What stands before the first ")" of the reply, or the whole reply if there is none, must equal the right letter: "B" and
"B) because" are right, "(B)" and "b" are not, because the prompt already ends in "Best Option: (". **M-Avg** is the
unweighted mean of the tasks' accuracies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from timeground.records import Row

from ..reading import Prediction, reply_text
from .result import Official, accuracies, macro

GROUPS = ("task",)


def evaluate(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """Accuracy by task and M-Avg, in percent."""
    replies = {row.id: reply_text(predictions[row.id]) for row in rows if row.id in predictions}
    points = {row.id: float(replies[row.id].split(")")[0] == row.answer) for row in rows if row.id in replies}
    metrics = accuracies(rows, points, GROUPS)
    missing = len(rows) - len(points)
    notes = (f"official leaves {missing} rows without a prediction out",) if missing else ()
    return Official(metrics | {"M-Avg": macro(metrics)}, notes=notes)
