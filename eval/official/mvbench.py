"""MVBench's matching (OpenGVLab/Ask-Anything, ``video_chat2/mvbench.ipynb``; TVBench's script has the same function).

The first word of the lower-case reply, full stops taken out, must lie in the right option's "(a)", or hold it. So "A",
"(A)", "a." and "A) ..." are right for (A), "Answer: A" is not - and **an empty reply is always right**, because "" lies
in every text. MVBench looks at the first line of a reply only, and its ``Avg`` is the share of right answers among all,
not a mean over tasks. An item whose answer is none of its candidates has the letter "@" there, which no reply names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from timeground.data.rows import Row

from ..reading import Prediction, reply_text
from .result import Official, accuracies

GROUPS = ("task",)


def is_right(reply: str, answer: str) -> bool:
    """Return whether the matching calls a reply right; ``answer`` is the right letter, "" if there is none."""
    first, option = reply.lower().split(" ")[0], f"({answer.lower() or '@'})"
    return first.replace(".", "") in option or option in first


def evaluate_tvbench(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """Return accuracy in percent over all items answered, and by task."""
    return _evaluate(rows, {row_id: reply_text(said) for row_id, said in predictions.items()})


def evaluate(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """Return the same of the replies' first lines, and ``Avg``."""
    found = _evaluate(rows, {row_id: reply_text(said).strip().split("\n")[0] for row_id, said in predictions.items()})
    return Official(found.metrics | {"Avg": found.metrics["accuracy"]}, notes=found.notes)


def _evaluate(rows: Sequence[Row], replies: Mapping[str, str]) -> Official:
    points = {row.id: float(is_right(replies[row.id], row.answer or "")) for row in rows if row.id in replies}
    notes = []
    if empty := sum(row.id in replies and not replies[row.id].strip(". (") for row in rows):
        notes.append(f"official counts {empty} empty replies as right")
    if len(points) < len(rows):
        notes.append(f"official leaves {len(rows) - len(points)} rows without a prediction out")
    return Official(accuracies(rows, points, GROUPS), notes=tuple(notes))
