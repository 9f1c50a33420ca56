"""LVBench (THUDM/LVBench, ``lvbench/metrics/compute_accuracy.py``): a file ``{uid: letter}``.

What the file holds is compared with the right letter as it stands: an answer that is no letter is wrong and stays in
the denominator; only questions that are not in the file are out. A question counts in each of its types. A model's
reply first goes through the benchmark's ``polish_answer``: what stands before the first ")" and behind a "(", of that
the first character; so "(B) a dog" is B and "The answer is B" is T.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from timeground.data.rows import Row

from ..reading import Prediction
from .result import Official, accuracies

GROUPS = ("types",)


def polished(reply: str) -> str:
    """Return what the benchmark makes of a reply."""
    said = reply.strip().split(")")[0].strip()
    if "(" in said:
        said = said.split("(")[1].strip()
    return said[:1].strip()


def evaluate(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """Return accuracy in percent over the questions answered, and by type."""
    points = {row.id: float(_said(predictions[row.id]) == row.answer) for row in rows if row.id in predictions}
    missing = len(rows) - len(points)
    notes = (f"official leaves {missing} questions without a prediction out",) if missing else ()
    return Official(accuracies(rows, points, GROUPS), notes=notes)


def _said(prediction: Prediction) -> str:
    return polished(prediction.text or "") if prediction.answer is None else str(prediction.answer)
