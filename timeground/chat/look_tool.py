"""The tool by which a model looks closer at a part of a video: how it is told of, how its calls are read.

A checkpoint's profile may give the tool and its arguments other names, such as TimeSearch-R's ``seek_video_frames``.
Calls are read in the Hermes format (JSON in ``<tool_call>``) and in Qwen3.5's (``<function=...>`` with
``<parameter=...>``), whichever a model writes.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from timeground.errors import UserError
from timeground.spans import Span

_CALL = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)
_FUNCTION = re.compile(r"<function=([^>\s]+)>(.*?)(?:</function>|\Z)", re.DOTALL)
_PARAMETER = re.compile(r"<parameter=([^>\s]+)>\n?(.*?)\n?</parameter>", re.DOTALL)
FEWEST_FRAMES, MOST_FRAMES = 2, 64


class BadCall(Exception):
    """A call that cannot be answered; its text is for the model to read."""


@dataclass(frozen=True)
class LookCall:
    """What a model wants to see."""

    window: Span
    query: str | None = None
    """What it looks for there."""
    num_frames: int | None = None


@dataclass(frozen=True)
class LookTool:
    """The names of the tool and its arguments; an argument without a name is not offered."""

    name: str = "look"
    start: str = "start_s"
    end: str = "end_s"
    query: str | None = "query"
    num_frames: str | None = "num_frames"
    description: str = "Look closer at a part of the video."

    def __post_init__(self) -> None:
        """Refuse names that are no texts."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not (isinstance(value, str) and value) and not (value is None and field.name in ("query", "num_frames")):
                raise UserError(f"look_tool: {field.name} is {value!r}, expected a name")

    def schema(self) -> dict[str, Any]:
        """Return the tool as chat templates take it."""
        properties: dict[str, Any] = {self.start: {"type": "number"}, self.end: {"type": "number"}}
        if self.query:
            properties[self.query] = {"type": "string"}
        if self.num_frames:
            properties[self.num_frames] = {"type": "integer", "minimum": FEWEST_FRAMES, "maximum": MOST_FRAMES}
        parameters = {"type": "object", "properties": properties, "required": [self.start, self.end]}
        function = {"name": self.name, "description": self.description, "parameters": parameters}
        return {"type": "function", "function": function}

    @staticmethod
    def calls(text: str) -> bool:
        """Return whether a text calls a tool, well or badly."""
        return _CALL.search(text) is not None

    def read(self, text: str, extent: Span) -> LookCall | None:
        """Return the first call in a model's text; None where it calls nothing.

        extent: the part of the video that there is, in the times that the model is told. Raise BadCall, with what the
        model can do about it, for a call that is not as the tool is described.
        """
        found = _CALL.search(text)
        if found is None:
            return None
        name, arguments = _parts(found.group(1))
        if name != self.name:
            raise BadCall(f"There is no tool {name!r}; the tool is called {self.name!r}.")
        known = {self.start, self.end, self.query, self.num_frames} - {None}
        if unknown := sorted(set(arguments) - known):
            raise BadCall(
                f"{self.name} has no argument {', '.join(unknown)}; it has {', '.join(sorted(map(str, known)))}."
            )
        return LookCall(self._window(arguments, extent), self._query(arguments), self._count(arguments))

    def _window(self, arguments: dict[str, Any], extent: Span) -> Span:
        start_s, end_s = (_number(arguments, name) for name in (self.start, self.end))
        low, high = max(start_s, extent.start_s), min(end_s, extent.end_s)
        if start_s >= end_s:
            raise BadCall(f"{self.start} must be before {self.end}; got {start_s:g} and {end_s:g}.")
        if low >= high:
            raise BadCall(f"The video lasts from {extent.start_s:.1f} to {extent.end_s:.1f} seconds.")
        return Span(low, high)

    def _query(self, arguments: dict[str, Any]) -> str | None:
        value = arguments.get(self.query) if self.query else None
        if value is not None and not isinstance(value, str):
            raise BadCall(f"{self.query} must be a text; got {value!r}.")
        return value or None

    def _count(self, arguments: dict[str, Any]) -> int | None:
        value = arguments.get(self.num_frames) if self.num_frames else None
        if value is None:
            return None
        value = _whole(value)
        if value is None or not FEWEST_FRAMES <= value <= MOST_FRAMES:
            raise BadCall(f"{self.num_frames} must be a whole number from {FEWEST_FRAMES} to {MOST_FRAMES}.")
        return value

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Return the tool of plain data; UserError says what is wrong in it."""
        names = [field.name for field in fields(cls)]
        if not isinstance(value, dict) or set(value) - set(names):
            raise UserError(f"look_tool is {value!r}, expected an object with some of {', '.join(names)}")
        return cls(**value)


def _parts(body: str) -> tuple[str, dict[str, Any]]:
    """Return the name and the arguments of a call."""
    if (function := _FUNCTION.search(body)) is not None:
        return function.group(1), dict(_PARAMETER.findall(function.group(2)))
    try:
        call = json.loads(body)
        arguments = call["arguments"]
        if isinstance(arguments, str):  # some models write the object as a text
            arguments = json.loads(arguments)
        name = call["name"]
    except (ValueError, KeyError, TypeError, RecursionError):
        name, arguments = None, None
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise BadCall('A call is JSON with "name" and "arguments"; write it again.')
    return name, arguments


def _number(arguments: dict[str, Any], name: str) -> float:
    value = arguments.get(name)
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise BadCall(f"{name} must be a number of seconds; got {value!r}.")
    return number


def _whole(value: Any) -> int | None:
    if isinstance(value, str):  # Qwen3.5's format has no types
        return int(value) if value.strip().isascii() and value.strip().isdigit() else None
    is_whole = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return int(value) if is_whole and value == int(value) else None
