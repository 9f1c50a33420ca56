"""Times as people write them: seconds, clock times, milliseconds, frames; spans of them."""

from __future__ import annotations

import datetime
import json
import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from timeground.clock import clock_seconds
from timeground.data.row_checks import shown
from timeground.errors import UserError
from timeground.spans import MAX_TIME_S

MAX_CHARACTERS = 64
"""Of one time."""
NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(s|sec|secs|seconds|ms)?", re.IGNORECASE)
BETWEEN = re.compile(r"\s*(?:–|—|\bto\b|,|(?<=[\d\ss])-)\s*")


@dataclass(frozen=True)
class Clock:
    """How a file's times are read."""

    unit: str = "s"
    """"s" (or clock times), "ms" or "frames"."""
    fps: float | None = None

    def seconds(self, what: str, value: Any) -> float:
        """Return a time in seconds. Raise UserError for what is none."""
        if _is_empty(value):
            raise UserError(f"{what} is empty; fill it in")
        if isinstance(value, datetime.timedelta):
            return value.total_seconds()
        if isinstance(value, datetime.time):
            return value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6
        if isinstance(value, str) and len(value) <= MAX_CHARACTERS:
            return self._of_text(what, value.strip())
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            raise UserError(f"{what} is no time: {shown(value)}")
        return self._scaled(what, value)

    def _of_text(self, what: str, text: str) -> float:
        try:
            seconds = clock_seconds(text)
        except UserError as error:
            raise UserError(f"{what} {error}") from None
        if seconds is not None:
            return self._limited(what, seconds)
        if number := NUMBER.fullmatch(text):
            if number[2]:
                return self._limited(what, float(number[1]) / (1000 if number[2].lower() == "ms" else 1))
            return self._scaled(what, float(number[1]))
        hint = "; a time with frames has to be seconds" if text.count(":") > 2 else ""
        hint = hint or ("; write a decimal point" if "," in text else "")
        raise UserError(f"{what} is no time: {shown(text)}{hint}")

    def _scaled(self, what: str, number: float | Decimal) -> float:
        value = self._limited(what, number)
        if self.unit == "frames":
            if self.fps is None:
                raise UserError(f"{what} is a frame, and no rate is known: give --fps (a number, or file)")
            value = value / self.fps
        return value / 1000 if self.unit == "ms" else value

    def _limited(self, what: str, time_s: float | Decimal) -> float:
        try:
            value = float(time_s)
        except OverflowError:
            value = math.inf
        if not abs(value) <= MAX_TIME_S:
            raise UserError(f"{what} is no usable time: {shown(time_s)}")
        return value

    def pairs(self, what: str, value: Any) -> tuple[list[list[float]], bool]:
        """Return ``[[start_s, end_s], ...]``, and whether it was a single pair, not a list of them.

        value: a pair, a list of pairs or of ``{"start": ..., "end": ...}``, JSON of that, or
        ``0:10 - 0:20; 0:30 - 0:40``.
        Raise UserError for what is none.
        """
        if isinstance(value, str):
            value = _from_text(what, value.strip())
        if not isinstance(value, list | tuple):
            raise UserError(f"{what} must be [start, end], or a list of that, got {shown(value)}")
        if len(value) == 2 and not any(isinstance(end, list | tuple | dict) for end in value):
            return [self._pair(what, value)], True
        return [self._pair(f"{what}[{number}]", pair) for number, pair in enumerate(value)], False

    def _pair(self, what: str, value: Any) -> list[float]:
        if isinstance(value, dict):
            value = [value.get("start", value.get("begin")), value.get("end", value.get("stop"))]
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise UserError(f"{what} must be [start, end], got {shown(value)}")
        return [self.seconds(f"{what} {end}", time) for end, time in zip(("start", "end"), value, strict=True)]


def _from_text(what: str, text: str) -> Any:
    if text.startswith(("[", "(")):
        try:
            return json.loads(text.replace("(", "[").replace(")", "]"))
        except (ValueError, RecursionError):
            raise UserError(f"{what} is no list of [start, end]: {shown(text)}") from None
    parts = [part.strip()[: 2 * MAX_CHARACTERS] for part in text.split(";") if part.strip()]
    pairs = [part.split("-->") if "-->" in part else BETWEEN.split(part) for part in parts]
    return pairs[0] if len(pairs) == 1 else pairs


def _is_empty(value: Any) -> bool:
    return (
        value is None
        or (isinstance(value, str) and not value.strip())
        or (isinstance(value, float) and math.isnan(value))
    )
