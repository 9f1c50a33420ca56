"""LVBench: a file ``{uid: letter}``; what is no letter A to E is left out of numerator **and** denominator.

A question counts in each of its types. Replies that are not a letter are read by timeground's grammar, since the
benchmark only takes letters. From the reference notes and memory; the benchmark's snapshot was not available.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from timeground.records import Row

from ..reading import Prediction, read_letter
from .result import Official, accuracies

GROUPS = ("types",)


def evaluate(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """Accuracy in percent of the questions answered by a letter, and by type."""
    letters = {row.id: read_letter(predictions.get(row.id), row) for row in rows}
    points = {row.id: float(letters[row.id] == row.answer) for row in rows if letters[row.id] in tuple("ABCDE")}
    left_out = len(rows) - len(points)
    notes = (f"official leaves {left_out} questions without a letter A to E out",) if left_out else ()
    return Official(accuracies(rows, points, GROUPS), notes=notes)
