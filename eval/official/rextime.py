"""ReXTime's evaluator (ReXTime/ReXTime): one span against one window, and the letter of the answer.

mIoU and R1 at IoU >= 0.3, 0.35, ... 0.95 of the *first* span, hull as union, 0/0 counts 0 (x100, two decimals);
accuracy of the answers by string equality; and the joint "VQA,mIoU@t", right answer and IoU >= t, for 0.3, 0.5, 0.7
(shares). Which of these are computed is decided by the keys of the *first* prediction. The ids of predictions and
rows must be the same, else the evaluator stops; then it is shown for the shared ids, as with ``match_number=False``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from timeground.records import Row

from ..matching import published_span
from ..reading import Prediction, read_letter
from .result import Official, hull_iou, percent, raw_spans

THRESHOLDS = tuple(round(0.3 + 0.05 * i, 2) for i in range(14))
JOINT = (0.3, 0.5, 0.7)


def evaluate(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """Percent in ``metrics``; the evaluator's own units in ``layout``."""
    shared = [row for row in rows if row.id in predictions]
    spans = {row.id: raw_spans(predictions[row.id]) for row in shared}
    right = {row.id: read_letter(predictions[row.id], row) == row.answer for row in shared}
    has_spans = bool(shared) and bool(spans[shared[0].id])
    has_answers = bool(shared) and read_letter(predictions[shared[0].id], shared[0]) is not None
    notes = [] if len(shared) == len(rows) else [f"official stops: {len(rows) - len(shared)} rows have no prediction"]
    if has_spans and not all(spans.values()):
        notes.append("official stops: some predictions have no span; no grounding numbers")
        has_spans = False
    metrics: dict[str, float | None] = {}
    layout: dict[str, Any] = {}
    if has_spans:
        ious = [hull_iou(spans[row.id][0], published_span(row)) for row in shared]
        metrics |= {"mIoU": percent(ious)} | {f"R1@{t:g}": percent(iou >= t for iou in ious) for t in THRESHOLDS}
        layout["full"] = {
            "MR-mIoU": _rounded(metrics["mIoU"]),
            "MR-R1": {str(t): _rounded(metrics[f"R1@{t:g}"]) for t in THRESHOLDS},
        }
    if has_spans and has_answers:
        joint = {t: percent(iou >= t and right[r.id] for iou, r in zip(ious, shared, strict=True)) for t in JOINT}
        metrics |= {f"VQA,mIoU@{t:g}": value for t, value in joint.items()}
        layout["full"]["GQA"] = {f"VQA,mIoU@{t:g}": (value or 0) / 100 for t, value in joint.items()}
    if has_answers:
        metrics["VQA"] = percent(right.values())
        layout |= {} if has_spans else {"vqa_acc": (metrics["VQA"] or 0) / 100}
    return Official(metrics, layout, tuple(notes))


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.2f}")
