"""ExtremeWhenBench in lmms-eval (EvolvingLMMs-Lab/lmms-eval 75571cf, ``tasks/extremewhenbench/utils.py``).

The *last* "a - b", "a to b" (also ~, en and em dashes) of a reply counts, whatever the numbers mean: "0:30:05 -
0:30:12" is 5 to 0, since its clock is not read, and a reversed span is swapped. IoU over the hull; R at IoU >= t; a
reply without a span is 0. Its prompt names the length of the video, without which its authors measured 40 % less;
ours is the model's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from timeground.data.rows import Row

from ..matching import Pair, published_span
from ..reading import Prediction
from .result import Official, hull_iou, missing_notes, percent

THRESHOLDS = (0.3, 0.5, 0.7)
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(?:-|to|~|–|—)\s*(\d+(?:\.\d+)?)")


def last_span(reply: str) -> Pair | None:
    """Return the span that is read in a reply, in order; None if there is none."""
    found = _SPAN.findall(reply)
    if not found:
        return None
    first, second = (float(number) for number in found[-1])
    return min(first, second), max(first, second)


def evaluate(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """Return mIoU, R1 and the share of replies without a span, in percent."""
    answered = [row for row in rows if row.id in predictions]
    spans = {row.id: _said(predictions[row.id]) for row in answered}
    ious = [hull_iou(span, published_span(row)) if (span := spans[row.id]) else 0.0 for row in answered]
    metrics = {"mIoU": percent(ious)} | {f"R1@{t:g}": percent(iou >= t for iou in ious) for t in THRESHOLDS}
    metrics["parse_fail"] = percent(spans[row.id] is None for row in answered)
    return Official(metrics, notes=missing_notes(rows, predictions, len(answered)))


def _said(prediction: Prediction) -> Pair | None:
    """Return the span of a reply; of a prediction without one its first span."""
    if prediction.text is not None:
        return last_span(prediction.text)
    if not prediction.spans:
        return None
    start_s, end_s = prediction.spans[0]
    return min(start_s, end_s), max(start_s, end_s)
