"""Fits how a search weighs what it sees, on the traces of a run: ``timeground eval --method search --calibrate``.

Two logistic regressions, on the log odds of the signs that the traces keep: one says how likely a window holds what is
looked for (of what spoke for the windows that were looked at), one how likely a span that was found there is right.
Then the threshold from which spans count, and the one from which a search is sure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from timeground.chat.confidence import RIGHT_IOU, log_odds
from timeground.chat.evidence import SIGNS, Evidence, Mix, SearchFit, Sign
from timeground.data.rows import Row
from timeground.methods.findings import joined
from timeground.metrics.calibration import FEWEST_ANSWERS, fit_weights
from timeground.spans import Span, iou, set_iou, shared_length_s

SURE = 0.9
"""So many of the spans from the threshold `sure` on are right."""
STEPS = np.linspace(0.05, 0.95, 19)
Look = Mapping[str, Any]
"""One look of a trace, as `Trace.to_json` has it."""


def fit_search(answers: Sequence[tuple[Row, Mapping[str, Any]]]) -> SearchFit | None:
    """Return what the traces of answers to rows say; None where they tell of too few spans, right ones and wrong."""
    traced = [(row, list(_close(trace))) for row, trace in answers if row.task == "ground" and trace.get("looks")]
    spans = [(found["evidence"], _is_right(found, row)) for row, looks in traced for found in _found(looks)]
    answer = fit_mix(spans)
    if answer is None:
        return None
    windows = [(look["why"], _holds(look, row)) for row, looks in traced for look in looks if look.get("why")]
    order = fit_mix(windows) or Mix()
    return SearchFit(order, answer, _best_threshold(traced, answer), _sure_threshold(spans, answer))


def fit_mix(told: Sequence[tuple[Evidence, bool]]) -> Mix | None:
    """Return the regression of what is true on signs; None where there is too little of either to tell."""
    right = [is_right for _, is_right in told]
    if len(told) < FEWEST_ANSWERS or not 0 < sum(right) < len(right):
        return None
    signs = [sign for sign in SIGNS if any(sign in evidence for evidence, _ in told)]
    inputs = np.array([[log_odds(evidence[s]) if s in evidence else 0.0 for s in signs] for evidence, _ in told])
    *weights, shift = fit_weights(inputs, right)
    fitted: dict[Sign, float] = {sign: round(float(one), 4) for sign, one in zip(signs, weights, strict=True)}
    return Mix(fitted, round(float(shift), 4))


def _close(trace: Mapping[str, Any]) -> Iterator[Look]:
    """Yield the looks on which an answer stands: the close ones, or all where there was no scan."""
    looks = trace["looks"]
    scanned = any(look.get("why") for look in looks)
    yield from (look for look in looks if not look.get("draft") and (look.get("why") or not scanned))


def _found(looks: Sequence[Look]) -> Iterator[Mapping[str, Any]]:
    for look in looks:
        yield from look.get("found", ())


def _is_right(found: Mapping[str, Any], row: Row) -> bool:
    return max((iou(Span(*found["span"]), truth) for truth in row.spans), default=0.0) >= RIGHT_IOU


def _holds(look: Look, row: Row) -> bool:
    """Return whether more than half of something true lies in a window."""
    return any(shared_length_s([Span(*look["window"])], [truth]) > 0.5 * truth.length_s for truth in row.spans)


def _best_threshold(traced: Sequence[tuple[Row, list[Look]]], mix: Mix) -> float:
    """Return the threshold by which the spans that count fit the truth best, in mean set IoU."""
    scored = [
        (row, [(mix(f["evidence"]), Span(*f["span"]), Span(*look["window"])) for look in looks for f in _found([look])])
        for row, looks in traced
    ]

    def mean_iou(threshold: float) -> float:
        return float(np.mean([_set_iou(joined([o for o in some if o[0] >= threshold]), row) for row, some in scored]))

    return round(float(max(STEPS, key=mean_iou)), 4)


def _set_iou(spans: Sequence[Span], row: Row) -> float:
    return set_iou(spans, row.spans) if row.spans else float(not spans)


def _sure_threshold(spans: Sequence[tuple[Evidence, bool]], mix: Mix) -> float:
    """Return the lowest threshold from which on enough spans are right."""
    scored = [(mix(evidence), is_right) for evidence, is_right in spans]
    for threshold in STEPS:
        above = [is_right for score, is_right in scored if score >= threshold]
        if len(above) >= FEWEST_ANSWERS // 2 and np.mean(above) >= SURE:
            return round(float(threshold), 4)
    return float(STEPS[-1])
