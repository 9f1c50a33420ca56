"""Charades-STA and ActivityNet Captions as MLLM papers score them (lmms-eval ``charades_sta``, ``eval_tvg.py``).

R1 at IoU >= 0.3, 0.5, 0.7 and mIoU over what was predicted; the hull is the union. The parser, rule by rule:

1. Lower case; the example of the prompt is cut out; every "to" becomes "-".
2. The first ``number - number`` in the text.
3. Else, in lines and sentences (cut at ! and ?) that hold a word such as "start" or "end", the first number of each;
   numbers are paired. Else the same with HH:MM:SS.
4. The pair is put in order: a reversed answer counts as said the right way round.

No pair: IoU 0. Predictions are keyed by video, query and span, so rows that share all three collapse, and a row without
a prediction is not in the denominator. The true span is the published one, not clamped to the video.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from timeground.records import Row

from ..matching import Pair, published_span
from ..reading import Prediction
from .result import Official, hull_iou, missing_notes, percent

THRESHOLDS = (0.3, 0.5, 0.7)
_EXAMPLE = "a specific example is : 20.8 - 30.0 seconds"
_WORDS = ("start", "end", "happen")  # "starts", "end time", "happens in" hold one of these
_DASHED = re.compile(r"(\d+\.*\d*)\s*-\s*(\d+\.*\d*)")
_NUMBER = re.compile(r"\b(?:\d+\.\d+|\d+)\b")
_CLOCK = re.compile(r"\b(\d{1,2}):(\d{2}):(\d{2})\b")


def parse(text: str) -> Pair | None:
    """The one span that the evaluator reads, in order; None if it reads none."""
    text = text.lower().replace(_EXAMPLE, "").replace("to", "-")
    dashed = _DASHED.search(text)
    if dashed:
        found = [float(said) for said in dashed.groups() if said.count(".") < 2]  # "1..5 - 2" stops the evaluator
    else:
        sentences = [s for s in re.split(r"[!?\n]", text) if any(word in s for word in _WORDS)]
        numbers = [float(match[0]) for s in sentences if (match := _NUMBER.search(s))]
        clocks = [_clock_s(match) for s in sentences if (match := _CLOCK.search(s))]
        found = numbers if len(numbers) > 1 else clocks
    return (min(found[:2]), max(found[:2])) if len(found) > 1 else None


def _clock_s(match: re.Match[str]) -> float:
    hours, minutes, secs = (float(part) for part in match.groups())
    return hours * 3600 + minutes * 60 + secs


def evaluate(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """R1 and mIoU, in percent."""
    ious: dict[tuple[str, str, Pair], float] = {}
    for row in rows:
        if row.id in predictions:
            truth = published_span(row)
            pred = _pair(predictions[row.id])
            ious[row.video, row.query, truth] = 0.0 if pred is None else hull_iou(truth, pred)
    recalls = {f"R1@{t:g}": percent(iou >= t for iou in ious.values()) for t in THRESHOLDS}
    return Official(recalls | {"mIoU": percent(ious.values())}, notes=missing_notes(rows, predictions, len(ious)))


def _pair(prediction: Prediction) -> Pair | None:
    if prediction.text is not None:
        return parse(prediction.text)
    if not prediction.spans:
        return None
    return (min(prediction.spans[0]), max(prediction.spans[0]))
