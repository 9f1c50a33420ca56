"""TVGBench as Time-R1 scores it (xiaomi-research/time-r1): mIoU and R1 at IoU **>** 0.3, 0.5, 0.7.

The parser takes the *last* "number to number" or "number and number" of the reply (single blanks around the word,
anywhere, thinking included); none: IoU 0. A reversed answer scores 0. Rows without a prediction are not in the
denominator. Two equal points would be 0/0 and make mIoU NaN; they count 0 here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from timeground.data.rows import Row

from ..matching import Pair, published_span
from ..reading import Prediction
from .result import Official, hull_iou, missing_notes, percent

THRESHOLDS = (0.3, 0.5, 0.7)
_SAID = re.compile(r"(\d+\.?\d*) (?:to|and) (\d+\.?\d*)")


def parse(text: str) -> Pair | None:
    """Return the last pair, as said; None if there is none."""
    found = _SAID.findall(text)
    return (float(found[-1][0]), float(found[-1][1])) if found else None


def evaluate(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """Return R1 (strictly greater) and mIoU, in percent."""
    ious = [_iou(row, predictions[row.id]) for row in rows if row.id in predictions]
    recalls = {f"R1@{t:g}": percent(iou > t for iou in ious) for t in THRESHOLDS}
    return Official(recalls | {"mIoU": percent(ious)}, notes=missing_notes(rows, predictions, len(ious)))


def _iou(row: Row, prediction: Prediction) -> float:
    truth = published_span(row)
    given = prediction.spans[0] if prediction.spans else None
    pred = given if prediction.text is None else parse(prediction.text)
    return 0.0 if pred is None else hull_iou(pred, truth)
