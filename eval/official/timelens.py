"""TimeLens-Bench (TencentARC/TimeLens): R1 at IoU >= 0.3, 0.5, 0.7 and mIoU of the first span.

``compute_metrics.py`` takes a result file as it is: its ``timestamps`` (an empty list is IoU 0), or what the parser
reads in ``answers`` where an entry has no others. A reply that stands in no such file counts as the inference script
``eval_dataloader.py`` would have written it: parsed, rounded to whole seconds (half to even), or a span 10 to 20 s
after the video where nothing is found. So published numbers went through whole-second rounding.

The parser: (1) if there are clock times (HH:MM:SS, MM:SS, with fractions), pair them in order; (2) else every ``a -
b``, else every ``a to b``; (3) else every bare number, paired in order. A reversed span scores 0. Results are keyed
by video, query and span: rows that share all three collapse, and what is not in the file is not in the denominator.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from timeground.data.rows import Row

from ..matching import Pair, published_span
from ..reading import Prediction
from .result import Official, hull_iou, missing_notes, percent

THRESHOLDS = (0.3, 0.5, 0.7)
_CLOCK = re.compile(r"\b\d{1,2}:\d{2}(?::\d{2})?(?:\.\d+)?\b")
_PAIRS = (re.compile(r"(\d+\.?\d*)\s*-\s*(\d+\.?\d*)"), re.compile(r"(\d+\.?\d*)\s+to\s+(\d+\.?\d*)"))
_NUMBER = re.compile(r"\b(?:\d+\.\d+|\d+)\b")
_NOTHING: Pair = (-100.0, -100.0)


def parse(text: str) -> list[Pair]:
    """Return every span that the benchmark's parser reads."""
    text = text.lower()
    if clocks := _paired([_clock_s(token) for token in _CLOCK.findall(text)]):
        return clocks
    for pattern in _PAIRS:
        if found := pattern.findall(text):
            return [(float(start), float(end)) for start, end in found]
    return _paired([float(number) for number in _NUMBER.findall(text)])


def _clock_s(token: str) -> float:
    parts = [float(part) for part in token.split(":")]
    return sum(part * 60.0**power for power, part in enumerate(reversed(parts)))


def _paired(times_s: list[float]) -> list[Pair]:
    return list(zip(times_s[::2], times_s[1::2], strict=False))


def evaluate(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """Return R1 and mIoU, in percent."""
    ious: dict[tuple[str, str, Pair], float] = {}
    for row in rows:
        if row.id in predictions:
            truth = published_span(row)
            ious[row.video, row.query, truth] = hull_iou(_first_span(predictions[row.id], row.duration), truth)
    recalls = {f"R1@{t:g}": percent(iou >= t for iou in ious.values()) for t in THRESHOLDS}
    return Official(recalls | {"mIoU": percent(ious.values())}, notes=missing_notes(rows, predictions, len(ious)))


def _first_span(prediction: Prediction, duration_s: float) -> Pair:
    """Return what the result file holds, or would hold."""
    if prediction.spans is not None:
        return prediction.spans[0] if prediction.spans else _NOTHING
    found = parse(prediction.text or "")
    start_s, end_s = found[0] if found else (duration_s + 10, duration_s + 20)
    return (float(round(start_s)), float(round(end_s)))
