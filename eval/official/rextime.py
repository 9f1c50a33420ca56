"""ReXTime's evaluator (ReXTime/ReXTime, ``evaluation/rextime_eval.py``): one span against one window, and a letter.

mIoU and R1 at IoU >= 0.3, 0.35, ... 0.95 of the *first* span, hull as union, 0/0 counts 0 (x100, two decimals);
accuracy of the answers by string equality; and the joint "VQA,mIoU@t", right answer and IoU >= t, for 0.3, 0.5, 0.7
(shares). Which of these are computed is decided by the keys of the *first* prediction. The ids of predictions and
rows must be the same, else the evaluator stops; then it is shown for the shared ids, as with ``match_number=False``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from timeground.data.rows import Row

from ..matching import published_span
from ..reading import Prediction, read_letter
from .result import Official, hull_iou, percent, raw_spans

THRESHOLDS = tuple(round(0.3 + 0.05 * i, 2) for i in range(14))
JOINT = (0.3, 0.5, 0.7)


def evaluate(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """Return percent in ``metrics``; the evaluator's own keys and units in ``layout``."""
    shared = [row for row in rows if row.id in predictions]
    spans = {row.id: raw_spans(predictions[row.id]) for row in shared}
    answers = {row.id: _answer(predictions[row.id], row) for row in shared}
    right = [answers[row.id] is not None and answers[row.id] == row.answer for row in shared]
    has_spans = bool(shared) and bool(spans[shared[0].id])
    has_answers = bool(shared) and answers[shared[0].id] is not None
    notes = [] if len(shared) == len(rows) else [f"official stops: {len(rows) - len(shared)} rows have no prediction"]
    if has_spans and not all(spans.values()):
        notes.append("official stops: some predictions have no span; no grounding numbers")
        has_spans = False
    metrics: dict[str, float | None] = {}
    if has_spans:
        ious = [hull_iou(spans[row.id][0], published_span(row)) for row in shared]
        metrics |= {"mIoU": percent(ious)} | {f"R1@{t:g}": percent(iou >= t for iou in ious) for t in THRESHOLDS}
    if has_spans and has_answers:
        pairs = list(zip(ious, right, strict=True))
        metrics |= {f"VQA,mIoU@{t:g}": percent(iou >= t and hit for iou, hit in pairs) for t in JOINT}
    if has_answers:
        metrics["VQA"] = percent(right)
    return Official(metrics, _layout(metrics), tuple(notes))


def _answer(prediction: Prediction, row: Row) -> str | None:
    """Return the answer as the submission gives it, else the letter that timeground reads in the reply."""
    return prediction.answer if isinstance(prediction.answer, str) else read_letter(prediction, row)


def _layout(metrics: Mapping[str, float | None]) -> dict[str, Any]:
    """Return the JSON that the evaluator saves: ``brief``, and then what was computed."""
    brief: dict[str, Any] = {}
    layout: dict[str, Any] = {"brief": brief}
    if "VQA" in metrics:
        brief["VQA"] = layout["VQA"] = _share(metrics["VQA"])
    if "mIoU" in metrics:
        recalls = {str(t): _rounded(metrics[f"R1@{t:g}"]) for t in THRESHOLDS}
        layout["full"] = {"MR-mIoU": _rounded(metrics["mIoU"]), "MR-R1": recalls}
        brief |= {f"MR-full-R1@{t}": recalls[t] for t in ("0.3", "0.5")} | {"MR-full-mIoU": layout["full"]["MR-mIoU"]}
    if "VQA,mIoU@0.5" in metrics:
        layout["full"]["VQA,mIoU"] = {f"VQA,mIoU@{t:g}": _share(metrics[f"VQA,mIoU@{t:g}"]) for t in JOINT}
        brief["VQA,mIoU@0.5"] = layout["full"]["VQA,mIoU"]["VQA,mIoU@0.5"]
    return layout


def _share(value: float | None) -> float | None:
    return None if value is None else value / 100


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.2f}")
