"""NExT-GQA's ``eval_ground.py`` (doc-doc/NExT-GQA): Acc@GQA, IoP and IoU of one span against the best true span.

For each question the largest IoU and, independently, the largest IoP (intersection / length of the prediction) over
the true spans, both starting from 0. Acc@GQA: right answer *and* IoP >= 0.5. IoG is not computed. A prediction
without length has IoU 0 and IoP 1 if the point lies in a true span, both ends included. Questions without a predicted
span are skipped and shrink the denominator. An answer missing where IoP >= 0.5 stops the evaluator; then Acc@GQA is
None.

Acc@QA, which another script of the benchmark prints, is the share of right answers among the rows with an answer.
Replies are read by timeground's grammar; the benchmark has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from timeground.data.rows import Row

from ..matching import Pair, published_spans
from ..reading import Prediction, read_letter
from .result import Official, percent, raw_spans

THRESHOLDS = (0.3, 0.5)


def evaluate(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """Return the benchmark's table, in percent."""
    letters = {row.id: read_letter(predictions.get(row.id), row) for row in rows}
    spans = {row.id: raw_spans(predictions[row.id])[:1] for row in rows if row.id in predictions}
    grounded = [row for row in rows if spans.get(row.id)]
    best = [best_iou_iop(spans[row.id][0], published_spans(row)) for row in grounded]
    ious, iops = [iou for iou, _ in best], [iop for _, iop in best]
    shown = [row for row, iop in zip(grounded, iops, strict=True) if iop >= 0.5]
    stops = any(letters[row.id] is None for row in shown)
    right = sum(letters[row.id] == row.answer for row in shown)
    metrics = {
        "Acc@GQA": None if stops or not grounded else 100 * right / len(grounded),
        "Acc@QA": percent(letter == row.answer for row in rows if (letter := letters[row.id]) is not None),
        "mIoP": percent(iops),
        **{f"IoP@{t:g}": percent(iop >= t for iop in iops) for t in THRESHOLDS},
        "mIoU": percent(ious),
        **{f"IoU@{t:g}": percent(iou >= t for iou in ious) for t in THRESHOLDS},
    }
    return Official(metrics, notes=_notes(len(rows) - len(grounded), stops))


def best_iou_iop(pred: Pair, truth: Sequence[Pair]) -> tuple[float, float]:
    """Return the largest IoU and the largest IoP over the true spans, each at least 0."""
    measured = [_iou_iop(pred, span) for span in truth]
    return max([0.0, *(iou for iou, _ in measured)]), max([0.0, *(iop for _, iop in measured)])


def _iou_iop(pred: Pair, truth: Pair) -> tuple[float, float]:
    if pred[0] == pred[1]:
        return 0.0, float(truth[0] <= pred[0] <= truth[1])
    shared_s = min(truth[1], pred[1]) - max(truth[0], pred[0])  # negative where they do not meet
    hull_s = max(truth[1], pred[1]) - min(truth[0], pred[0])
    length_s = pred[1] - pred[0]
    return (shared_s / hull_s if hull_s > 0 else 0.0), (shared_s / length_s if length_s > 0 else 0.0)


def _notes(num_skipped: int, stops: bool) -> tuple[str, ...]:
    notes = []
    if num_skipped:
        notes.append(f"official skips {num_skipped} questions without a predicted span")
    if stops:
        notes.append("official stops: an answer is missing where IoP >= 0.5")
    return tuple(notes)
