"""TACoS as 2D-TAN scores it (microsoft/2D-TAN): Rank@{1,5} at IoU **>** 0.1, 0.3, 0.5, and mIoU of the first span.

Spans count in the order given. 2D-TAN first leaves out spans that overlap a better one (``lib/core/eval.py``; IoU over
0.4 or 0.5, by configuration): `without_overlaps` does so where ``nms`` is set in the task or by ``--nms``. True spans
are clamped to the video, as its loader does. Replies are read by timeground's grammar, since 2D-TAN has none. A
reversed span scores 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from timeground.data.rows import Row

from ..matching import Pair, published_span
from ..reading import Prediction
from .result import Official, hull_iou, missing_notes, percent, raw_spans

THRESHOLDS = (0.1, 0.3, 0.5)
RANKS = (1, 5)


def evaluate(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """Return R1, R5 and mIoU, in percent; R5 only where some prediction has more than one span."""
    listed = [_ious(row, predictions[row.id]) for row in rows if row.id in predictions]
    ranks = RANKS if any(len(ious) > 1 for ious in listed) else RANKS[:1]
    metrics = {
        f"R{rank}@{t:g}": percent(any(iou > t for iou in ious[:rank]) for ious in listed)
        for rank in ranks
        for t in THRESHOLDS
    }
    miou = percent(ious[0] if ious else 0.0 for ious in listed)
    return Official(metrics | {"mIoU": miou}, notes=missing_notes(rows, predictions, len(listed)))


def without_overlaps(prediction: Prediction, threshold: float) -> Prediction:
    """Return the prediction with the spans that 2D-TAN's non-maximum suppression keeps: the first five without overlap.

    threshold: the IoU up to which a span may overlap those before it. Of two spans without length the first is kept.
    """
    kept: list[Pair] = []
    for pair in raw_spans(prediction):
        if all(_overlap_at_most(pair, better, threshold) for better in kept):
            kept.append(pair)
    return replace(prediction, text=None, spans=tuple(kept[: max(RANKS)]), scores=None, said=None)


def _overlap_at_most(a: Pair, b: Pair, threshold: float) -> bool:
    shared_s = max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
    union_s = (b[1] - b[0]) + (a[1] - a[0]) - shared_s
    return union_s != 0 and shared_s / union_s <= threshold


def _ious(row: Row, prediction: Prediction) -> list[float]:
    published_span(row)  # refuses a row without one
    truth = (row.spans[0].start_s, row.spans[0].end_s)
    return [hull_iou(pair, truth) for pair in raw_spans(prediction)]
