"""Records to rows that have no id yet: each value read as its field wants it, against the video's true length."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from timeground.data.row_checks import CHECKS, contradictions, shown
from timeground.data.rows import Row
from timeground.data.video_checks import file_contradictions
from timeground.errors import UserError

from .columns import Columns
from .record import Place, Record, Refused
from .times import Clock

if TYPE_CHECKING:
    from timeground.media.containers.frame_index import VideoInfo

AS_JSON = ("meta", "quality", "difficulty", "history", "options", "window")
"""Fields that a table holds as JSON text."""
NO_ID = "-"
MEASURED_DIGITS = 3
"""Milliseconds of a length that is measured."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What a user says of frames: so many a second, or as many as each file has."""

    fps: float | None = None
    of_file: bool = False


@dataclass(slots=True)
class Draft:
    """A row whose id is not known yet."""

    row: Row
    own_id: str | None
    places: list[Place]
    is_single: bool
    """It came with one span, so that others of the same query belong to it."""
    is_row: bool
    """It was one of our own rows already, and stays as it is."""


def drafts_of(record: Record, columns: Columns, video: str, info: VideoInfo, rate: Rate) -> Iterator[Draft | Refused]:
    """Yield what a record says, one draft for each query in it, or why it does not get in."""
    reader = _Reader(record.fields, columns, info, rate)
    try:
        for number, (query, spans, is_single) in enumerate(reader.moments()):
            row = reader.row(video, query, spans)
            wrong = contradictions(row) or file_contradictions(row, info.duration_s)
            place = record.place.inside(f"query {number}") if reader.is_many else record.place
            if wrong:
                yield Refused(place, "; ".join(wrong))
            else:
                yield Draft(row, reader.own_id(), [place], is_single, columns.are_rows)
    except UserError as error:
        yield Refused(record.place, str(error))


class _Reader:
    """Reads the fields of one record."""

    def __init__(self, fields: dict[str, Any], columns: Columns, info: VideoInfo, rate: Rate) -> None:
        self.fields, self.columns, self.info, self.rate = fields, columns, info, rate
        self.keeps_blanks = columns.are_rows and not isinstance(fields.get("spans"), str)
        """Our own rows tell an empty text from none; a table of texts cannot."""
        self.is_many = isinstance(self.value("query"), list | tuple)

    def value(self, field: str) -> Any:
        """Return what the record says of a field; None for an empty cell and a missing one."""
        value = self.fields.get(self.columns.of.get(field, ""))
        if isinstance(value, str) and not value.strip() and not self.keeps_blanks:
            return None
        return None if isinstance(value, float) and math.isnan(value) else value

    def clock(self, field: str) -> Clock:
        """Return how the times of a field are read."""
        fps = self.rate.fps or (self.info.fps if self.rate.of_file else None)
        if (said := self.value("fps")) is not None and fps is None:
            fps = Clock().seconds(self.columns.of["fps"], said)
        if fps is not None and not 0 < fps <= 1000:
            raise UserError(f"{fps:g} is no usable number of frames a second")
        return Clock(self.columns.units.get(field, "s"), fps)

    def moments(self) -> Iterator[tuple[str | None, list[list[float]], bool]]:
        """Yield each query with its spans, and whether it came with a single one."""
        query, (spans, is_single) = self.value("query"), self.spans()
        if not self.is_many:
            yield query, spans, is_single
            return
        spans = [] if is_single and len(query) != 1 else spans
        if len(query) != len(spans):
            raise UserError(f"{len(query)} queries and {len(spans)} spans; give each query its own")
        for one, span in zip(query, spans, strict=True):
            yield one, [span], True

    def spans(self) -> tuple[list[list[float]], bool]:
        """Return the spans, and whether there is exactly one because that is how the record is made."""
        if "start" in self.columns.of:
            return self._ends()
        value = self.value("spans")
        if value is None:
            if self.value("question") is None:
                raise UserError(f"{self.columns.of.get('spans', 'spans')} is empty; say when it happens ([] for never)")
            return [], False
        return self.clock("spans").pairs(self.columns.of["spans"], value)

    def _ends(self) -> tuple[list[list[float]], bool]:
        last = "end" if "end" in self.columns.of else "length"
        start, end = self.value("start"), self.value(last)
        if isinstance(start, list | tuple) and isinstance(end, list | tuple):
            if len(start) != len(end):
                raise UserError(f"{len(start)} starts and {len(end)} ends; give each its own")
            return [self._pair(one, other, last) for one, other in zip(start, end, strict=True)], False
        if start is None and end is None and self.value("question") is not None:
            return [], False
        return [self._pair(start, end, last)], True

    def _pair(self, start: Any, end: Any, last: str) -> list[float]:
        start_s = self.clock("start").seconds(self.columns.of["start"], start)
        end_s = self.clock(last).seconds(self.columns.of[last], end)
        return [start_s, start_s + end_s if last == "length" else end_s]

    def own_id(self) -> str | None:
        """Return the id that the record gives; numbers become text."""
        value = self.value("id")
        return None if value is None or self.is_many else str(value)

    def row(self, video: str, query: str | None, spans: list[list[float]]) -> Row:
        """Return the row. Raise UserError for a value that no row may hold."""
        own_id = self.own_id()
        obj: dict[str, Any] = {"id": NO_ID if own_id is None else own_id, "video": video, "spans": spans}
        obj["duration"] = self._duration()
        for field in self.columns.of:
            if (
                field in CHECKS
                and field not in obj
                and (value := query if field == "query" else self.value(field)) is not None
            ):
                obj[field] = _decoded(self.columns.of[field], value) if field in AS_JSON else value
        if obj.get("question") is None and not str(obj.get("query") or "").strip():
            raise UserError(f"{self.columns.of.get('query', 'query')} is empty; write the sentence to find")
        if others := {name: kept for name in self.columns.others if (kept := _kept(self.fields.get(name))) is not None}:
            obj["meta"] = others | (obj.get("meta") or {})
        return Row.from_json(obj)

    def _duration(self) -> float:
        value = self.value("duration")
        if value is None:
            return round(self.info.duration_s, MEASURED_DIGITS) or self.info.duration_s
        return self.clock("duration").seconds(self.columns.of["duration"], value)


def _decoded(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return list(value) if isinstance(value, tuple) else value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise UserError(f"{name} does not hold JSON: {shown(value)}") from None


def _kept(value: Any) -> Any:
    """Return a value as ``meta`` can hold it; None for what it cannot, and for an empty one."""
    if value is None or value == "" or isinstance(value, bytes):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str | int | float):
        return value
    try:
        return json.loads(json.dumps(value, allow_nan=False, default=str))
    except (TypeError, ValueError, RecursionError):
        return str(value)
