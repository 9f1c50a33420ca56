"""The strict protocol: what an answer is worth, the same way for every benchmark.

* Every row is in the denominator. No prediction, an unreadable reply, or a time that is not finite scores 0.
* A reversed span, or one without length, scores 0. Nothing is swapped, rounded or clamped.
* "It does not happen" is an answer: right where there is no true span, wrong elsewhere.
* Replies are read by timeground's one grammar (``docs/answers.md``); the first span counts where one is asked for.
* Thresholds are reached at IoU >= t.

Each judge gives one row its values in [0, 1]; a metric is the mean over the rows that have it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from timeground.data.rows import Row
from timeground.scoring import first_iou, whole_iou
from timeground.spans import Span, shared_length_s, total_length_s

from .official.result import groups_of
from .reading import Prediction, read_letter, read_spans, read_yes_no


@dataclass(slots=True)
class Judged:
    """One row's worth."""

    values: dict[str, float] = field(default_factory=dict)
    """By metric, in [0, 1]."""
    spans: tuple[Span, ...] = ()
    """What was understood."""
    iou: float | None = None
    """Of the first span."""
    correct: bool | None = None
    """The answer of a question."""
    failure: str | None = None
    """Why nothing was understood."""


CLUE_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)
Judge = Callable[[Row, Prediction | None], Judged]


def grounding_judge(thresholds: Sequence[float], with_sets: bool = False) -> Judge:
    """Return a judge of R1 and mIoU, of the first span by the true span it fits best.

    with_sets: adds the IoU of the whole sets.
    """

    def judge(row: Row, prediction: Prediction | None) -> Judged:
        said = read_spans(prediction, row.query)
        iou = first_iou(said, row.spans)
        values = {f"R1@{t:g}": float(iou >= t) for t in thresholds} | {"mIoU": iou}
        if with_sets:
            values["set IoU"] = whole_iou(said, row.spans)
        return Judged(values, said.spans, iou, None, said.failure)

    return judge


def choice_judge(groups: Sequence[str]) -> Judge:
    """Return a judge of accuracy of option letters, overall and by group."""

    def judge(row: Row, prediction: Prediction | None) -> Judged:
        letter = read_letter(prediction, row)
        failure = None if letter else "no option letter"
        return _answered(row, groups, _is_right(letter, row), failure)

    return judge


def _is_right(letter: str | None, row: Row) -> bool:
    """Return whether a letter is the right one; no letter never is, not even where a row has no right answer."""
    return letter is not None and letter == row.answer


def yes_no_judge(groups: Sequence[str]) -> Judge:
    """Return a judge of accuracy of yes and no, overall and by group."""

    def judge(row: Row, prediction: Prediction | None) -> Judged:
        said = read_yes_no(prediction)
        right = said is not None and said == ((row.answer or "").strip().lower() == "yes")
        return _answered(row, groups, right, None if said is not None else "neither yes nor no")

    return judge


def _answered(row: Row, groups: Sequence[str], right: bool, failure: str | None) -> Judged:
    names = ["accuracy", *(f"accuracy/{group}" for group in groups_of(row, groups))]
    return Judged(dict.fromkeys(names, float(right)), correct=right, failure=failure)


def nextgqa_judge(row: Row, prediction: Prediction | None) -> Judged:
    """Judge as NExT-GQA: IoU and, apart from it, IoP (share of the prediction in a true span), best of each."""
    said, letter = read_spans(prediction, row.query), read_letter(prediction, row)
    right, iou = _is_right(letter, row), first_iou(said, row.spans)
    iop = max((_share_inside(said.spans[0], span) for span in row.spans), default=0.0) if said.spans else 0.0
    values = {"Acc@GQA": float(right and iop >= 0.5), "Acc@QA": float(right), "mIoP": iop}
    values |= {f"IoP@{t:g}": float(iop >= t) for t in (0.3, 0.5)}
    values |= {"mIoU": iou} | {f"IoU@{t:g}": float(iou >= t) for t in (0.3, 0.5)}
    return Judged(values, said.spans, iou, right, said.failure or (None if letter else "no option letter"))


def rextime_judge(row: Row, prediction: Prediction | None) -> Judged:
    """Judge by ReXTime's measures: R1, accuracy of the answer, and both at once."""
    said, letter = read_spans(prediction, row.query), read_letter(prediction, row)
    right, iou = _is_right(letter, row), first_iou(said, row.spans)
    values = {"mIoU": iou, "VQA": float(right)}
    values |= {f"R1@{t:g}": float(iou >= t) for t in (0.3, 0.5, 0.7)}
    values |= {f"VQA,mIoU@{t:g}": float(right and iou >= t) for t in (0.3, 0.5, 0.7)}
    return Judged(values, said.spans, iou, right, said.failure or (None if letter else "no option letter"))


def clues_judge(row: Row, prediction: Prediction | None) -> Judged:
    """Judge a letter and the set of spans that shows it, as CG-Bench: rec and acc are means over IoU >= 0.1 to 0.5."""
    said, letter = read_spans(prediction, row.query), read_letter(prediction, row)
    right, iou = _is_right(letter, row), whole_iou(said, row.spans)
    reached = sum(iou >= t for t in CLUE_THRESHOLDS) / len(CLUE_THRESHOLDS)
    values = {"accuracy": float(right), "mIoU": iou, "rec@IoU": reached, "acc@IoU": right * reached}
    return Judged(values, said.spans, iou, right, said.failure or (None if letter else "no option letter"))


def _share_inside(pred: Span, truth: Span) -> float:
    """Return the share of the prediction that lies in the true span; 0 without length."""
    shared_s = min(pred.end_s, truth.end_s) - max(pred.start_s, truth.start_s)
    return shared_s / pred.length_s if pred.length_s > 0 and shared_s > 0 else 0.0


def vue_judge(row: Row, prediction: Prediction | None) -> Judged:
    """Judge each query's share of VUE-TR's areas; both sides merged, no rounding, an empty side as in ``set_iou``."""
    said = read_spans(prediction, row.query)
    iou = whole_iou(said, row.spans)
    pred_s, truth_s = total_length_s(said.spans), total_length_s(row.spans)
    shared_s = shared_length_s(said.spans, row.spans)
    both_empty = said.absent and not row.spans
    precision = float(both_empty) if pred_s == 0 else shared_s / pred_s
    recall = float(both_empty) if truth_s == 0 or pred_s == 0 else shared_s / truth_s
    values = {"IoU AUC": _area(iou, False), "precision AUC": _area(precision, True), "recall AUC": _area(recall, True)}
    return Judged(values | {"mIoU": iou}, said.spans, iou, None, said.failure)


def _area(value: float, inclusive: bool) -> float:
    """Return the trapezoid area under 1[value > t] (or >=) over t = 0, 0.01, ... 1.

    It is one query's part of the curve's; 0 for 0.
    """
    if value <= 0:
        return 0.0
    reached = [value >= i / 100 if inclusive else value > i / 100 for i in range(101)]
    return (sum(reached) - (reached[0] + reached[100]) / 2) / 100
