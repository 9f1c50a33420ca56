"""Charades-STA as lmms-eval scored it from February to October 2025 (``charades_sta/eval_tvg.py``, c548a197).

Papers of that time print these numbers. It differs from today's (`charades`) in the parser only:

1. Lower case; the example of the prompt is cut out; every "to" becomes "-".
2. The first ``number - number`` in the text.
3. Else, in lines and sentences (cut at ! and ?) that hold a word such as "start" or "end", the first number of each;
   numbers are paired. Else the same with HH:MM:SS.
4. The pair is put in order: a reversed answer counts as said the right way round.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from timeground.data.rows import Row

from ..matching import Pair
from ..reading import Prediction
from .charades import EXAMPLE, WORDS, evaluate_with
from .result import Official

_DASHED = re.compile(r"(\d+\.*\d*)\s*-\s*(\d+\.*\d*)")
_NUMBER = re.compile(r"\b(?:\d+\.\d+|\d+)\b")
_CLOCK = re.compile(r"\b(\d{1,2}):(\d{2}):(\d{2})\b")


def parse(text: str) -> Pair | None:
    """Return the one span that the evaluator reads, in order; None if it reads none."""
    text = text.lower().replace(EXAMPLE, "").replace("to", "-")
    dashed = _DASHED.search(text)
    if dashed:
        found = [float(said) for said in dashed.groups() if said.count(".") < 2]  # "1..5 - 2" stops the evaluator
    else:
        sentences = [s for s in re.split(r"[!?\n]", text) if any(word in s for word in WORDS)]
        numbers = [float(match[0]) for s in sentences if (match := _NUMBER.search(s))]
        clocks = [_clock_s(match) for s in sentences if (match := _CLOCK.search(s))]
        found = numbers if len(numbers) > 1 else clocks
    return (min(found[:2]), max(found[:2])) if len(found) > 1 else None


def _clock_s(match: re.Match[str]) -> float:
    hours, minutes, secs = (float(part) for part in match.groups())
    return hours * 3600 + minutes * 60 + secs


def evaluate(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
    """Return R1 and mIoU, in percent."""
    return evaluate_with(parse, rows, predictions)
