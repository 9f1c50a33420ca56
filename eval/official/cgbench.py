"""CG-Bench's grounded questions as VLMEvalKit scores them (open-compass/VLMEvalKit e8e78f0, ``utils/cgbench.py``).

There a question is asked twice, for its letter and for its clues; here one answer has both. **long_acc**: the letter.
**mIoU**: of the merged sets of predicted and true clues. **rec@IoU**: the share of questions with an IoU **>** t;
**acc@IoU**: of those whose letter is right besides; each the mean over t = 0.1 to 0.5, every share rounded to 4
decimals. Questions whose reply gives no letter are out of the first, those without a span out of mIoU and rec@IoU,
those without either out of acc@IoU. ``clue_acc`` and CRR, for which only the clues are shown, are not computed.
Letters and spans are read by timeground's grammar.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from timeground.data.rows import Row
from timeground.spans import Span, set_iou

from ..reading import Prediction, read_letter
from .result import Official, percent, raw_spans

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)


def evaluate(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """Return the benchmark's numbers, in percent."""
    letters = {row.id: letter for row in rows if (letter := read_letter(predictions.get(row.id), row))}
    ious = {row.id: iou for row in rows if (iou := _iou(row, predictions.get(row.id))) is not None}
    both = [row for row in rows if row.id in letters and row.id in ious]
    right = {row.id for row in both if letters[row.id] == row.answer}
    metrics = {
        "long_acc": percent(letters[row.id] == row.answer for row in rows if row.id in letters),
        "mIoU": percent(ious.values()),
        "rec@IoU": _mean_share([[iou > t for iou in ious.values()] for t in THRESHOLDS]),
        "acc@IoU": _mean_share([[row.id in right and ious[row.id] > t for row in both] for t in THRESHOLDS]),
    }
    notes = [
        f"official leaves {left} questions without {what} out"
        for left, what in ((len(rows) - len(letters), "a letter"), (len(rows) - len(ious), "a span"))
        if left
    ]
    return Official(metrics, notes=tuple(notes))


def _iou(row: Row, prediction: Prediction | None) -> float | None:
    pairs = raw_spans(prediction) if prediction is not None else []
    return set_iou([Span(*pair) for pair in pairs], row.spans) if pairs else None


def _mean_share(reached: Sequence[Sequence[bool]]) -> float | None:
    if not reached[0]:
        return None
    shares = [round(sum(some) / len(some), 4) for some in reached]
    return 100 * round(sum(shares) / len(shares), 4)
