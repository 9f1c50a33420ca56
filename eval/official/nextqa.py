"""NExT-QA, multiple choice (doc-doc/NExT-QA, ``eval_mc.py``): accuracy for causal, temporal, descriptive, all.

Predictions are numbers of options; replies are read by timeground's grammar (lmms-eval draws at random where it reads
nothing). A question without a prediction stops the evaluator: all numbers are None then. An unreadable reply is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from timeground.data.rows import Row

from ..reading import Prediction, read_letter
from .result import Official, accuracies

GROUPS = ("kind",)


def evaluate(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """Return accuracy in percent: ``accuracy``, ``accuracy/C``, ``accuracy/T``, ``accuracy/D``."""
    points = {row.id: float(read_letter(predictions.get(row.id), row) == row.answer) for row in rows}
    metrics = accuracies(rows, points, GROUPS)
    missing = sum(row.id not in predictions for row in rows)
    if missing:
        notes = (f"official stops: {missing} questions have no prediction",)
        return Official(dict.fromkeys(metrics, None), notes=notes)
    shown = {f"Acc_{name[-1]}": value for name, value in metrics.items() if name != "accuracy"}
    return Official(metrics, {**shown, "Acc": metrics["accuracy"]})
