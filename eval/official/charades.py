"""Charades-STA and ActivityNet Captions as lmms-eval 0.7.3 scores them: what its table prints.

The number is computed in ``lmms_eval/tasks/charades_sta/utils.py`` (``_temporal_grounding_compute_metrics``); the
script ``eval_tvg.py`` beside it, which is run by hand on a submission, still reads replies its own way, and the release
of February 2025 (`charades_2025`) another. R1 at IoU >= 0.3, 0.5, 0.7 and mIoU over what was predicted; the hull is the
union. The parser, rule by rule:

1. Lower case; the example of the prompt is cut out; every "to" becomes "-"; the text is cut at "!", "?" and line ends.
2. Only parts with a word such as "start", "end" or "happen" are looked at; all of them where no part has one.
3. The first part with a range of clock times (MM:SS or HH:MM:SS, a hyphen or an en dash between); else the first with a
   range of numbers; else all clock times, paired in order; else the first number of each part, paired; else a range
   of numbers with an ``s`` behind each. So "24.3s - 30.4s" alone is read, and "from 24.3s to 30.4s" as well.
4. The first pair, put in order: a reversed answer counts as said the right way round.

No pair: IoU 0. Predictions are keyed by video, query and span, so rows that share all three collapse, and a row without
a prediction is not in the denominator. The true span is the published one, not clamped to the video.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from timeground.data.rows import Row

from ..matching import Pair, published_span
from ..reading import Prediction
from .result import Official, hull_iou, missing_notes, percent

THRESHOLDS = (0.3, 0.5, 0.7)
EXAMPLE = "a specific example is : 20.8 - 30.0 seconds"
WORDS = ("start", "end", "happen")  # "starts", "end time", "happens in" hold one of these
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?"
_NUMBER = r"\d+(?:\.\d+)?"
_CLOCK_RANGE = re.compile(rf"\b({_CLOCK})\s*[–-]\s*({_CLOCK})\b")
_RANGE = re.compile(rf"({_NUMBER})\s*[–-]\s*({_NUMBER})")
_ONE_CLOCK = re.compile(rf"\b{_CLOCK}\b")
_ONE_NUMBER = re.compile(rf"\b{_NUMBER}\b")
_RANGE_OF_SECONDS = re.compile(rf"({_NUMBER})\s*s?\s*[–-]\s*({_NUMBER})\s*s?")


def parse(text: str) -> Pair | None:
    """Return the one span that the evaluator reads, in order; None if it reads none."""
    parts = re.split(r"[!?\n]", text.lower().replace(EXAMPLE, "").replace("to", "-"))
    parts = [part for part in parts if any(word in part for word in WORDS)] or parts
    pair = (
        _first_range(_CLOCK_RANGE, parts)
        or _first_range(_RANGE, parts)
        or _first_two([said for part in parts for said in _ONE_CLOCK.findall(part)])
        or _first_two([match[0] for part in parts if (match := _ONE_NUMBER.search(part))])
        or _first_range(_RANGE_OF_SECONDS, parts)
    )
    if pair is None:
        return None
    start_s, end_s = map(_seconds, pair)
    return (min(start_s, end_s), max(start_s, end_s))


def _first_range(pattern: re.Pattern[str], parts: Sequence[str]) -> tuple[str, str] | None:
    match = next((match for part in parts if (match := pattern.search(part))), None)
    return None if match is None else (match[1], match[2])


def _first_two(said: Sequence[str]) -> tuple[str, str] | None:
    return (said[0], said[1]) if len(said) > 1 else None


def _seconds(said: str) -> float:
    return sum(float(part) * 60.0**power for power, part in enumerate(reversed(said.split(":"))))


def evaluate(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """Return R1 and mIoU, in percent."""
    return evaluate_with(parse, rows, predictions)


def evaluate_with(
    parse: Callable[[str], Pair | None], rows: Sequence[Row], predictions: Mapping[str, Prediction]
) -> Official:
    """Evaluate the same with another parser."""
    ious: dict[tuple[str, str, Pair], float] = {}
    for row in rows:
        if row.id in predictions:
            truth, prediction = published_span(row), predictions[row.id]
            pred = _given(prediction) if prediction.text is None else parse(prediction.text)
            ious[row.video, row.query, truth] = 0.0 if pred is None else hull_iou(truth, pred)
    recalls = {f"R1@{t:g}": percent(iou >= t for iou in ious.values()) for t in THRESHOLDS}
    return Official(recalls | {"mIoU": percent(ious.values())}, notes=missing_notes(rows, predictions, len(ious)))


def _given(prediction: Prediction) -> Pair | None:
    return (min(prediction.spans[0]), max(prediction.spans[0])) if prediction.spans else None
