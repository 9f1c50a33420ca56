"""What each key of a data row may hold, and which keys contradict each other.

A check of one key returns the value or raises UserError. `contradictions` looks at the keys of a whole row together.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from timeground.chat.prompts import LETTERS
from timeground.errors import UserError
from timeground.spans import MAX_TIME_S, Span

if TYPE_CHECKING:
    from timeground.data.rows import Row

SLACK_S = 0.5
"""Annotated ends are rounded: what lies past an end by less is no contradiction."""
MAX_OPTIONS = len(LETTERS)
CUT = "correct the end, or the duration"
Direction = Literal["sensitive", "insensitive", "unknown"]


def shown(value: object) -> str:
    """Return a value in an error message, cut to a readable length."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _text(key: str, value: object) -> str:
    """Return a string."""
    if not isinstance(value, str):
        hint = f'; write "{value}"' if isinstance(value, int | float) else ""
        raise UserError(f"{key} must be a string, got {shown(value)}{hint}")
    return value


def _name(key: str, value: object) -> str:
    """Return a string that is not blank."""
    if not _text(key, value).strip():
        raise UserError(f"{key} is empty; fill it in")
    return cast(str, value)


def _text_or_null(key: str, value: object) -> str | None:
    """Return a string or null."""
    return None if value is None else _text(key, value)


def _number(key: str, value: object) -> float:
    """Return a finite number of seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        hint = "; write it without quotes" if _is_number(value) else ""
        raise UserError(f"{key} must be a number of seconds, got {shown(value)}{hint}")
    if not abs(value) <= MAX_TIME_S:
        raise UserError(f"{key} must be a finite number of seconds, got {shown(value)}")
    return float(value)


def _is_number(text: object) -> bool:
    """Return whether a text is what a number looks like in JSON."""
    return isinstance(text, str) and re.fullmatch(r"\d+(\.\d+)?", text) is not None


def _duration(key: str, value: object) -> float:
    """Return a positive number of seconds."""
    duration_s = _number(key, value)
    if duration_s <= 0:
        raise UserError(f"{key} must be more than 0 seconds, got {value}; measure the video")
    return duration_s


def _span(key: str, value: object) -> Span:
    """Return a ``[start, end]`` pair with 0 <= start <= end."""
    if not isinstance(value, list) or len(value) != 2:
        raise UserError(f"{key} must be [start, end] in seconds, got {shown(value)}")
    span = Span(_number(key, value[0]), _number(key, value[1]))
    if span.is_reversed:
        raise UserError(f"{key} ends before it starts: {value}; swap or drop it")
    if span.start_s < 0:
        raise UserError(f"{key} starts before the video: {value}; clamp it to 0")
    return span


def _spans(key: str, value: object) -> list[Span]:
    """Return a list of pairs."""
    if not isinstance(value, list):
        raise UserError(f"{key} must be a list of [start, end], got {shown(value)}")
    if _is_flat(value):
        raise UserError(f"{key}[0] must be [start, end] in seconds, got {shown(value[0])}; write [{value}]")
    return [_span(f"{key}[{i}]", pair) for i, pair in enumerate(value)]


def _is_flat(value: list[object]) -> bool:
    """Return whether this is one pair where a list of them should be."""
    return len(value) == 2 and all(isinstance(end, int | float) for end in value)


def _window(key: str, value: object) -> Span | None:
    """Return a pair with some length, or null."""
    window = None if value is None else _span(key, value)
    if window is not None and window.length_s == 0:
        raise UserError(f"{key} has no length: {value}; use null for the whole video")
    return window


def _direction(key: str, value: object) -> Direction:
    """Return one of the known words."""
    if value not in get_args(Direction):
        raise UserError(f"{key} must be one of {', '.join(get_args(Direction))}, got {shown(value)}")
    return cast(Direction, value)


def _options(key: str, value: object) -> list[str] | None:
    """Return a list of strings that is not empty, or null."""
    if value is None:
        return None
    if not isinstance(value, list) or not value:
        raise UserError(f"{key} must be a list of texts or null, got {shown(value)}")
    return [_text(f"{key}[{i}]", text) for i, text in enumerate(value)]


def _dict(key: str, value: object) -> dict[str, Any]:
    """Return a JSON object without NaN or infinity; null counts as empty."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UserError(f"{key} must be a JSON object, got {shown(value)}")
    _refuse_non_finite(key, value)
    return value


def _meta(key: str, value: object) -> dict[str, Any]:
    """Return a JSON object; its "events", if any, are a list of ``{"query": ..., "span": [start, end]}``."""
    meta = _dict(key, value)
    events = meta.get("events", [])
    if not isinstance(events, list):
        raise UserError(f"{key}.events must be a list, got {shown(events)}")
    for i, event in enumerate(events):
        if not isinstance(event, dict) or not {"query", "span"} <= set(event):
            raise UserError(f"{key}.events[{i}] needs 'query' and 'span', got {shown(event)}")
        _name(f"{key}.events[{i}].query", event["query"])
        _span(f"{key}.events[{i}].span", event["span"])
    return meta


def _dicts(key: str, value: object) -> list[dict[str, Any]]:
    """Return a list of JSON objects; null counts as empty."""
    if not isinstance(value, list | None):
        raise UserError(f"{key} must be a list of JSON objects, got {shown(value)}")
    return [_dict(f"{key}[{i}]", entry) for i, entry in enumerate(value or [])]


def _refuse_non_finite(key: str, value: object) -> None:
    """Raise UserError for NaN or infinity at any depth: JSON has no such numbers."""
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{key} is {value}, which JSON cannot hold; use null")
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        _refuse_non_finite(f"{key}.{name}", child)


CHECKS: dict[str, Callable[[str, object], Any]] = {
    "id": _name, "video": _name, "duration": _duration, "query": _text, "spans": _spans, "window": _window,
    "direction": _direction, "mirrored_query": _text_or_null, "source": _text, "meta": _meta,
    "question": _text_or_null, "options": _options, "answer": _text_or_null, "quality": _dict,
    "difficulty": _dict, "history": _dicts,
}  # fmt: skip


def key_problems(key: str, value: object) -> list[str]:
    """Return all that is wrong with what one key holds: of a list of spans or of options, with each of its entries."""
    check = {"spans": _span, "options": _text}.get(key)
    if check is None or not isinstance(value, list) or not value or _is_flat(value):
        return _problem(CHECKS[key], key, value)
    return [problem for i, entry in enumerate(value) for problem in _problem(check, f"{key}[{i}]", entry)]


def _problem(check: Callable[[str, object], Any], key: str, value: object) -> list[str]:
    try:
        check(key, value)
    except UserError as error:
        return [str(error)]
    return []


def contradictions(row: Row) -> list[str]:
    """Return what of a row cannot be true together, or cannot be asked: one line each, without the row's place."""
    return [*_out_of_bounds(row), *(_choice_problems(row) if row.options is not None else _question_problems(row))]


def right_option(row: Row) -> int | None:
    """Return the number of the option that `answer` names, by its letter or its text; None if it names none."""
    options, answer = row.options or [], (row.answer or "").strip()
    if answer in options:
        return options.index(answer)
    bare = answer.strip("().: ").upper()
    number = ord(bare) - ord("A") if len(bare) == 1 and bare.isascii() else -1
    return number if 0 <= number < len(options) else None


def _out_of_bounds(row: Row) -> list[str]:
    """Return a line for each time after the end of the file, or outside the window."""
    found, window = [], row.window
    if window is not None and window.end_s > row.duration + SLACK_S:
        found.append(f"window {window.to_list()} ends after the video, which lasts {row.duration:g} s; {CUT}")
    events = row.meta["events"] if row.task == "events" else []
    named = [(f"spans[{i}]", span) for i, span in enumerate(row.spans)]
    named += [(f"meta.events[{i}].span", Span(*event["span"])) for i, event in enumerate(events)]
    for name, span in named:
        if span.end_s > row.duration + SLACK_S:
            found.append(f"{name} {span.to_list()} ends after the video, which lasts {row.duration:g} s; {CUT}")
        elif window is not None and (span.start_s < window.start_s - SLACK_S or span.end_s > window.end_s + SLACK_S):
            found.append(f"{name} {span.to_list()} is not inside the window {window.to_list()}; move one of them")
    return found


def _choice_problems(row: Row) -> list[str]:
    """Return what is wrong with a question that has options."""
    options, found = row.options or [], []
    if not (row.question or "").strip():
        found.append("options without a question; add it")
    if not 2 <= len(options) <= MAX_OPTIONS:
        found.append(f"{len(options)} option{'s' * (len(options) != 1)}; a question takes 2 to {MAX_OPTIONS}")
    if any(not option.strip() for option in options):
        found.append(f"options[{[bool(o.strip()) for o in options].index(False)}] is empty; fill it in")
    if row.answer is None or not row.answer.strip():
        found.append("a choice without a right answer; give its letter in answer")
    elif right_option(row) is None:
        found.append(f"answer {shown(row.answer)} is none of the {len(options)} options; give a letter, or one's text")
    return found


def _question_problems(row: Row) -> list[str]:
    """Return what is wrong with a row without options: is there anything to ask, and an answer to it?"""
    if row.task == "ground" and not " ".join(row.query.split()).rstrip("."):
        return ["query has no words; write the sentence to find" + (", or give an answer" if row.question else "")]
    if row.question is None:
        return ["a list of events without a question; add the sentence to ask"] if row.task == "events" else []
    if not row.question.strip():
        return ["question is empty; fill it in, or leave it out"]
    return []
