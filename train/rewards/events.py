"""The reward for a list of events with their times."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from timeground.chat.trajectory import Trajectory
from timeground.data.rows import Row
from timeground.metrics.events import Words
from timeground.scoring import events_f1, parse

from .reward import AS_IT_IS, Contrasts

Overlap = Annotated[float, Field(gt=0, le=1)]


def events(
    trajectory: Trajectory, row: Row, *, contrasts: Contrasts = AS_IT_IS, iou: Overlap = 0.5, words: Words = "same"
) -> float:
    """Pay the F1 of the events listed, matched one to one with the true ones, in [0, 1]; other rows give 0.

    A pair is credited with ``min(1, IoU / iou)``: in full from that IoU on, in part below it.
    words: "same" matches only what is called the same, "any" looks at times alone, as dense captioning's localisation.
    """
    if row.task != "events" or not contrasts.has_truth:
        return 0.0
    return events_f1(parse(trajectory.text, row), row, iou, words)
