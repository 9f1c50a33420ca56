"""QVHighlights' standalone evaluation (jayleicn/moment_detr): moments here, highlights in ``highlights.py``.

**mAP** at IoU 0.5, 0.55 ... 0.95. Of each query's windows the first 10 in list order count, then sorted by score
(stable). Each window takes, from the true windows in falling IoU, the first free one with IoU not below the
threshold. Average precision is interpolated (VOC) and averaged over queries. A query without a predicted window drops
out of the mean. IoU there is not guarded: 0/0 is NaN, which is not below any threshold, so a reversed window as long
as a true one, or an empty window against an empty one, counts as a **hit**.

**R1**: the *first listed* window (not the best scored) against the true window of highest IoU, hull as union, 0/0 is
0. A query without a predicted window stops the evaluator (R1 is None then).

**Ranges**: short (0, 10], middle (10, 30], long (30, 150] seconds, full. A range keeps only true windows of its
length and the queries that retain one; predictions are not filtered.

The ids of predictions and rows must be the same, else the evaluator stops; then the shared ids are scored, as with
``match_number=False``. Moments and highlights are computed if the *first* prediction holds them. On the benchmark's
sample predictions this reproduces all 104 values of its metrics file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from timeground.data.rows import Row

from ..matching import Pair, published_spans
from ..reading import Prediction
from .highlights import LEVELS, highlight_scores
from .result import Official, raw_spans

Floats = npt.NDArray[np.float64]

THRESHOLDS = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))
RANGES: dict[str, tuple[float, float]] = {"short": (0, 10), "middle": (10, 30), "long": (30, 150), "full": (0, np.inf)}
MAX_WINDOWS = 10
HEADLINE = (
    *(f"MR-full-{name}" for name in ("R1@0.5", "R1@0.7", "mAP", "mAP@0.5", "mAP@0.75")),
    *(f"MR-{name}-mAP" for name in ("long", "middle", "short")),
    *(f"HL-min-{level}-{metric}" for level in LEVELS for metric in ("mAP", "Hit1")),
)
"""The metrics of the benchmark's "brief" block, in its order."""


def evaluate(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """Return all values, unrounded percent in ``metrics``, two decimals in ``layout``."""
    shared = [row for row in rows if row.id in predictions]
    notes = [] if len(shared) == len(rows) else [f"official stops: {len(rows) - len(shared)} rows have no prediction"]
    windows = {row.id: scored_windows(predictions[row.id])[:MAX_WINDOWS] for row in shared}
    firsts = {row.id: raw_spans(predictions[row.id])[:1] for row in shared}
    metrics: dict[str, float | None] = {}
    first = predictions[shared[0].id] if shared else Prediction()
    if first.spans is not None or first.text is not None:
        no_window = sum(not firsts[row.id] for row in shared)
        if no_window:
            notes.append(f"official stops: {no_window} predictions have no window; they drop out of its mAP")
        for name, (low_s, high_s) in RANGES.items():
            metrics |= _range_scores(name, _truths(shared, low_s, high_s), windows, firsts)
    if first.saliency is not None:
        metrics |= highlight_scores({row.id: predictions[row.id].saliency or () for row in shared}, shared)
    return Official(metrics, nested_layout(metrics), tuple(notes))


def scored_windows(prediction: Prediction) -> list[tuple[float, float, float]]:
    """Return (start, end, score) in list order; without scores the order given stands for falling scores."""
    pairs = raw_spans(prediction)
    scores = prediction.scores or tuple(-float(i) for i in range(len(pairs)))
    return [(start_s, end_s, score) for (start_s, end_s), score in zip(pairs, scores, strict=False)]


def _truths(rows: Sequence[Row], low_s: float, high_s: float) -> dict[str, list[Pair]]:
    """Return true windows of a range of lengths by row id; rows that keep none are left out. Full filters nothing."""
    if high_s == np.inf:
        return {row.id: published_spans(row) for row in rows}
    kept = {row.id: [(s, e) for s, e in published_spans(row) if low_s < e - s <= high_s] for row in rows}
    return {row_id: spans for row_id, spans in kept.items() if spans}


def _range_scores(
    name: str,
    truths: Mapping[str, Sequence[Pair]],
    windows: Mapping[str, list[tuple[float, float, float]]],
    firsts: Mapping[str, list[Pair]],
) -> dict[str, float | None]:
    """Return mAP and R1 of one range of lengths."""
    precisions = []
    for row_id, truth in truths.items():
        ranked = sorted(windows[row_id], key=lambda window: -window[2])
        if ranked:
            precisions.append(average_precisions(cross_iou([w[:2] for w in ranked], truth)))
    recalls = [_first_iou(firsts[row_id][0], truth) for row_id, truth in truths.items() if firsts[row_id]]
    complete = len(recalls) == len(truths) > 0
    found: dict[str, float | None] = {f"MR-{name}-mAP": 100 * float(np.mean(precisions)) if precisions else None}
    means = np.mean(precisions, axis=0) if precisions else [None] * len(THRESHOLDS)
    for threshold, mean in zip(THRESHOLDS, means, strict=True):
        found[f"MR-{name}-mAP@{threshold:g}"] = None if mean is None else 100 * float(mean)
        reached = np.array(recalls) >= threshold
        found[f"MR-{name}-R1@{threshold:g}"] = 100 * float(np.mean(reached)) if complete else None
    return found


def cross_iou(pred: Sequence[Pair], truth: Sequence[Pair]) -> Floats:
    """Return the IoU of every prediction with every truth ``[pred, truth]``: no guard, so 0/0 is NaN."""
    p, t = np.array(pred, dtype=np.float64), np.array(truth, dtype=np.float64)
    shared = np.minimum(p[:, None, 1], t[None, :, 1]) - np.maximum(p[:, None, 0], t[None, :, 0])
    shared = np.clip(shared, 0, None)
    union = (p[:, 1] - p[:, 0])[:, None] + (t[:, 1] - t[:, 0])[None, :] - shared
    with np.errstate(divide="ignore", invalid="ignore"):
        ious: Floats = shared / union
    return ious


def average_precisions(ious: Floats) -> Floats:
    """Interpolate average precision at each threshold; ``ious`` is ``[ranked predictions, truths]``."""
    order = np.argsort(ious, axis=1, kind="stable")[:, ::-1]  # NaN comes first, as the best
    return np.array([_average_precision(_greedy_hits(ious, order, t), ious.shape[1]) for t in THRESHOLDS])


def _greedy_hits(ious: Floats, order: npt.NDArray[np.intp], threshold: float) -> npt.NDArray[np.bool_]:
    """Return which predictions take a true window that is still free."""
    taken = np.zeros(ious.shape[1], dtype=bool)
    hits = np.zeros(ious.shape[0], dtype=bool)
    for i, candidates in enumerate(order):
        for j in candidates:
            if ious[i, j] < threshold:
                break
            if not taken[j]:
                taken[j] = hits[i] = True
                break
    return hits


def _average_precision(hits: npt.NDArray[np.bool_], num_truths: int) -> float:
    """Return the area under the precision-recall curve, precision made falling from the right (VOC 2010 and later)."""
    num_hits = np.cumsum(hits)
    recall = np.concatenate([[0.0], num_hits / num_truths, [1.0]])
    precision = np.concatenate([[0.0], num_hits / np.arange(1, len(hits) + 1), [0.0]])
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall) * envelope[1:]))


def _first_iou(pred: Pair, truth: Sequence[Pair]) -> float:
    """Return the hull IoU with the true window that fits best by the unguarded IoU (NaN is best); 0/0 is 0."""
    best = truth[int(np.argmax(cross_iou([pred], truth)[0]))]
    hull_s = max(pred[1], best[1]) - min(pred[0], best[0])
    shared_s = max(0.0, min(pred[1], best[1]) - max(pred[0], best[0]))
    return shared_s / hull_s if hull_s != 0 else 0.0


def nested_layout(metrics: Mapping[str, float | None]) -> dict[str, Any]:
    """Lay metrics out as the benchmark's file: "brief", then each highlight level and each range, two decimals."""
    shown = {name: None if value is None else float(f"{value:.2f}") for name, value in metrics.items()}
    layout: dict[str, Any] = {"brief": {name: shown[name] for name in HEADLINE if name in shown}}
    for level in LEVELS:
        prefix = f"HL-min-{level}"
        if f"{prefix}-mAP" in shown:
            layout[prefix] = {"HL-mAP": shown[f"{prefix}-mAP"], "HL-Hit1": shown[f"{prefix}-Hit1"]}
    for name in ("full", "long", "middle", "short"):
        if f"MR-{name}-mAP" in shown:
            at = {f"{t:g}": shown[f"MR-{name}-mAP@{t:g}"] for t in THRESHOLDS}
            layout[name] = {
                "MR-mAP": at | {"average": shown[f"MR-{name}-mAP"]},
                "MR-R1": {f"{t:g}": shown[f"MR-{name}-R1@{t:g}"] for t in THRESHOLDS},
            }
    return layout
