"""Sets of spans as TimeLens2 scores MomentSeeker and Ego4D-NLQ (MCG-NJU/TimeLens2 a5ce450).

``evaluation/vlmeval/dataset/moment_seeker.py`` and ``ego4d_nlq_v2.py``, by ``_overlap_ratio`` of ``vidi_vue_tr.py``:
what is predicted is merged (reversed spans are dropped afterwards), the truth is not; intersection over the sum of
both lengths less the intersection. No prediction where there is a truth is 0. R1 at IoU >= t. Predictions are all
spans of a reply; they are read here by timeground's grammar, not by theirs (JSON first, then pairs of numbers). By
task, where rows have one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from timeground.data.rows import Row

from ..matching import published_spans
from ..reading import Prediction
from .result import Official, groups_of, missing_notes, percent, raw_spans
from .vue_tr import set_iou_unmerged_truth

THRESHOLDS = (0.3, 0.5, 0.7)
GROUPS = ("task",)


def evaluate(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """Return mIoU and R1 of sets, in percent, and mIoU by task."""
    answered = [row for row in rows if row.id in predictions]
    ious = {row.id: set_iou_unmerged_truth(raw_spans(predictions[row.id]), published_spans(row)) for row in answered}
    metrics = {"mIoU": percent(ious.values())}
    metrics |= {f"R1@{t:g}": percent(iou >= t for iou in ious.values()) for t in THRESHOLDS}
    for name in sorted({name for row in rows for name in groups_of(row, GROUPS) if name}):
        metrics[f"mIoU/{name}"] = percent(ious[row.id] for row in answered if name in groups_of(row, GROUPS))
    return Official(metrics, notes=missing_notes(rows, predictions, len(answered)))
