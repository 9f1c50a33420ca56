"""VUE-TR and VUE-TR-V2 (bytedance/vidi, ``qa_eval.py``): areas under curves over 101 thresholds from 0 to 1.

Predicted starts are floored and ends ceiled to whole seconds. **IoU**: predictions that touch or overlap are merged
(reversed ones dropped afterwards), the truth is not; intersection over the sum of lengths less the intersection,
clipped to [0, 1]; both empty 1, one empty 0. Its score is the trapezoid area under the share of queries with IoU
**>** t, so a perfect answer gives 0.995. **Precision and recall** use the spans as given, ends put in order, *not*
merged, and walk both lists once, so spans that overlap or stand out of order lose; areas under shares **>=** t;
precision only over queries with a predicted length, recall only over those with a true length (V2: precision 1 where
both have none). The loop is over predictions: what is missing does not exist.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from timeground.data.formats.vue_tr import CATEGORIES
from timeground.data.rows import Row

from ..matching import Pair, published_spans
from ..reading import Prediction
from .result import Official, groups_of, missing_notes, raw_spans

_THRESHOLDS = np.linspace(0, 1, 101)


def evaluate_v1(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """Score VUE-TR: precision leaves out queries without a predicted length."""
    return _evaluate(rows, predictions, empty_is_precise=False)


def evaluate_v2(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """Score VUE-TR-V2: precision is 1 where neither prediction nor truth has any length."""
    return _evaluate(rows, predictions, empty_is_precise=True)


def _evaluate(rows: Sequence[Row], predictions: Mapping[str, Prediction], empty_is_precise: bool) -> Official:
    answered = [row for row in rows if row.id in predictions]
    measured = {row.id: _measure(row, predictions[row.id], empty_is_precise) for row in answered}
    names = sorted({name for row in answered for name in groups_of(row, CATEGORIES)})
    layout = {"overall": _areas([measured[row.id] for row in answered])}
    for name in names:
        layout[name] = _areas([measured[row.id] for row in answered if name in groups_of(row, CATEGORIES)])
    overall: dict[str, float | None] = {f"{key} AUC": value for key, value in layout["overall"].items()}
    return Official(overall, dict[str, Any](layout), missing_notes(rows, predictions, len(answered)))


_Measured = tuple[float, float | None, float | None]  # IoU, precision, recall; None: not counted


def _measure(row: Row, prediction: Prediction, empty_is_precise: bool) -> _Measured:
    truth, said = published_spans(row), raw_spans(prediction)
    if not all(math.isfinite(time_s) for pair in said for time_s in pair):
        return 0.0, 0.0, 0.0 if _length_s(truth) else None  # NaN reaches no threshold
    pred = [(float(math.floor(s)), float(math.ceil(e))) for s, e in said]
    ordered_truth, ordered_pred = [_ordered(pair) for pair in truth], [_ordered(pair) for pair in pred]
    shared_s = _walked_overlap_s(ordered_truth, ordered_pred)
    pred_s, truth_s = _length_s(ordered_pred), _length_s(ordered_truth)
    recall = shared_s / truth_s if truth_s != 0 else None
    precision = shared_s / pred_s if pred_s != 0 else None
    if empty_is_precise and pred_s == 0 and truth_s == 0:
        precision = 1.0
    return set_iou_unmerged_truth(pred, truth), precision, recall


def set_iou_unmerged_truth(pred: Sequence[Pair], truth: Sequence[Pair]) -> float:
    """Return the IoU of a merged prediction and a truth as it stands; 1 where both are empty."""
    if not pred or not truth:
        return float(not pred and not truth)
    kept = [pair for pair in _merged(pred) if pair[0] <= pair[1]]
    shared_s = sum(max(0.0, min(p[1], t[1]) - max(p[0], t[0])) for p in kept for t in truth)
    union_s = _length_s(kept) + _length_s(truth) - shared_s
    return max(min(1.0, shared_s / (union_s + 1e-16)), 0.0)


def _merged(spans: Sequence[Pair]) -> list[Pair]:
    """Return spans by start, each joined to the one before if it starts at or before its end."""
    merged: list[Pair] = []
    for start_s, end_s in sorted(spans, key=lambda pair: pair[0]):
        if merged and start_s <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end_s))
        else:
            merged.append((start_s, end_s))
    return merged


def _walked_overlap_s(truth: Sequence[Pair], pred: Sequence[Pair]) -> float:
    """Return the seconds shared when both lists are walked once side by side, the one that ends first going on."""
    shared_s, i, j = 0.0, 0, 0
    while i < len(truth) and j < len(pred):
        shared_s += max(0.0, min(truth[i][1], pred[j][1]) - max(truth[i][0], pred[j][0]))
        if truth[i][1] < pred[j][1]:
            i += 1
        else:
            j += 1
    return shared_s


def _areas(measured: Sequence[_Measured]) -> dict[str, float | None]:
    """Return IoU, precision and recall areas in percent; None where nothing is counted."""
    ious = np.array([iou for iou, _, _ in measured])
    precisions = np.array([p for _, p, _ in measured if p is not None])
    recalls = np.array([r for _, _, r in measured if r is not None])
    shares = {
        "IoU": [np.mean(ious > t) for t in _THRESHOLDS] if ious.size else None,
        "precision": [np.mean(precisions >= t) for t in _THRESHOLDS] if precisions.size else None,
        "recall": [np.mean(recalls >= t) for t in _THRESHOLDS] if recalls.size else None,
    }
    return {name: None if s is None else 100 * float(np.trapezoid(s, _THRESHOLDS)) for name, s in shares.items()}


def _ordered(pair: Pair) -> Pair:
    return (min(pair), max(pair))


def _length_s(spans: Sequence[Pair]) -> float:
    return sum(end_s - start_s for start_s, end_s in spans)
