"""Lists of events with their times: the part of the answer grammar for dense descriptions (``docs/answers.md``)."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

from timeground.grammar.reply import final_text, word_set
from timeground.grammar.span_rules import find_spans
from timeground.spans import Span

_TEXT_KEYS = (
    *("event", "description", "details", "detail", "caption", "sentence", "query", "text", "label", "action"),
    *("activity", "name", "title", "summary", "content"),
)
"""Keys under which a description may stand, the likeliest first; else it is the one text that is no time."""
_OBJECT = re.compile(r"\{[^{}]*\}")
_STRING = re.compile(r'"(\w{1,30})" ?: ?"((?:[^"\\]|\\.)*)"')
_EDGE_MARKS = " \n.,:;|~=-_\"'()[]{}<>#"
_JOINING = word_set("from between at during in is happens occurs starts seconds second secs sec s and")
_INDEX = re.compile(
    r"^\W*(?:[0-9]{1,3}[.)] ?\W*)?"
    r"(?:(?:event|step|scene|segment|clip|part|shot|moment|action) ?#?[0-9]{1,3} ?(?:[:.)|-]|$) ?|"
    r"(?:event|step|scene|segment|shot) ?#?[0-9]{1,3} )?",
    re.IGNORECASE,
)
_MAX_DEPTH = 20
_MAX_LITERAL = 20_000  # characters


def parse_events(text: str) -> list[tuple[str, Span]]:
    """Read a list of events with their times, in the order written; what lacks a time or words is left out.

    An event is a line (or what stands between semicolons) that holds one span before or after a description
    (``0.0 - 4.5: a man sits``, ``From 0.0 to 4.5, he sits``), a JSON object with both, or a pair of JSON lists of
    which one holds times and one sentences (``{"timestamps": [[0, 4.5]], "sentences": ["a man sits"]}``).
    """
    answer, _ = final_text(text)
    structure, is_whole = _json_in(answer)
    events = list(_in_structure(structure))
    if events or is_whole:
        return events
    objects = _OBJECT.findall(answer) if re.search(r'\{\s?"', answer) else []
    found = [_in_object(piece) for piece in objects] if objects else [_in_line(piece) for piece in _lines(answer)]
    return [event for event in found if event is not None]


def _json_in(answer: str) -> tuple[Any, bool]:
    """Return the JSON value (or Python literal, in single quotes) that an answer holds, or None; and if it is all."""
    opening = re.search(r"[\[{]", answer)
    closing = max(answer.rfind("]"), answer.rfind("}"))
    if opening is None or closing <= opening.start():
        return None, False
    said = answer[opening.start() : closing + 1]
    for read in (json.loads, ast.literal_eval) if "'" in said and len(said) < _MAX_LITERAL else (json.loads,):
        try:
            return read(said), said == answer
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
    return None, False


def _in_structure(value: Any, depth: int = 0) -> Iterator[tuple[str, Span]]:
    """Yield the events of a JSON value: objects, parallel lists, ``[start, end, text]``, text or times as a key."""
    if depth > _MAX_DEPTH or not isinstance(value, (dict, list, str)):
        return
    if isinstance(value, str):
        event = _in_line(value)
        if event is not None:
            yield event
        return
    if isinstance(value, list):
        event = _in_fields(dict(zip("abc", value, strict=False))) if _is_flat(value) else None
        if event is not None:
            yield event
        else:
            for item in value:
                yield from _in_structure(item, depth + 1)
        return
    parallel = list(_in_parallel_lists(value))
    event = None if parallel else _in_fields(value)
    if parallel or event is not None:
        yield from parallel or [event]  # type: ignore[list-item]
        return
    for key, item in value.items():
        said = None if isinstance(item, dict) else _one_span(item)
        keyed = _one_span(key) if isinstance(item, str) else None
        if keyed is not None and _is_description(item):
            yield _clean(item), keyed
        elif said is not None and _is_description(key) and " " in key:
            yield _clean(key), said
        else:
            yield from _in_structure(item, depth + 1)


def _is_flat(value: list[Any]) -> bool:
    """Return True for ``[0, 4.5, "a man sits"]`` and ``[[0, 4.5], "a man sits"]``."""
    return sum(isinstance(item, str) and _is_description(item) for item in value) == 1 and len(value) in (2, 3)


def _in_parallel_lists(value: dict[str, Any]) -> Iterator[tuple[str, Span]]:
    """Yield the events of an object with a list of times and a list of as many sentences."""
    lists = [item for item in value.values() if isinstance(item, list) and item]
    sentences = next((x for x in lists if all(isinstance(s, str) and _is_description(s) for s in x)), None)
    if sentences is None:
        return
    numbers = [x for x in lists if len(x) == len(sentences) and all(isinstance(n, (int, float)) for n in x)]
    if len(numbers) == 2:  # {"starts": [...], "ends": [...], ...}
        lists.append([list(pair) for pair in zip(*numbers, strict=True)])
    for times in lists:
        spans = [_one_span(item) for item in times]
        if times is not sentences and len(times) == len(sentences) and any(span is not None for span in spans):
            for sentence, span in zip(sentences, spans, strict=True):
                if span is not None:
                    yield _clean(sentence), span
            return


def _in_fields(value: dict[str, Any]) -> tuple[str, Span] | None:
    """Return the event of an object that holds one description and one span."""
    words = {key: item for key, item in value.items() if isinstance(item, str) and _is_description(item)}
    named = [key for name in _TEXT_KEYS for key in words if key.lower() == name]
    key = next(iter(named or words), None)
    if key is None:
        return None
    rest = {name: item for name, item in value.items() if name not in words}
    span = _one_span(rest) or _one_span(list(rest.values()))
    return None if span is None else (_clean(words[key]), span)


def _is_description(text: str) -> bool:
    """Return True for a text that says more than a time."""
    return bool(_clean(text)) and re.search(r"[^\W\d_]{2}", text) is not None and _one_span(text) is None


def _one_span(value: Any) -> Span | None:
    """Return the one span of a piece of JSON, or None."""
    said = value if isinstance(value, str) else json.dumps(value)
    _, found = find_spans(said)
    return found[0].span if len({match.span for match in found}) == 1 else None


def _in_object(piece: str) -> tuple[str, Span] | None:
    """Return the event of an object as text, for JSON that is cut off or not quite JSON."""
    _, found = find_spans(piece)
    strings = {key.lower(): said for key, said in _STRING.findall(piece) if _is_description(said)}
    key = next((name for name in _TEXT_KEYS if name in strings), next(iter(strings), None))
    if key is None:
        return _in_line(piece)
    description = _clean(_unescaped(strings[key]))
    return (description, found[0].span) if found and description else None


def _in_line(piece: str) -> tuple[str, Span] | None:
    """Return the event of a line: its first span, and what else it says."""
    _, found = find_spans(piece)
    if not found:
        return None
    description = _trimmed(piece[: found[0].start] + " " + piece[found[0].end :])
    return (description, found[0].span) if description else None


def _lines(text: str) -> list[str]:
    """Return lines and parts between semicolons; a part with several spans is cut into its sentences."""
    lines: list[str] = []
    for part in re.split(r"[;\n]", text):
        cut = len(find_spans(part)[1]) > 1
        lines += re.split(r"(?<=[.!?]) (?=[A-Z0-9\[(<])", part) if cut else [part]
    return lines


def _clean(sentence: str) -> str:
    """Return a sentence without "Event 1:" before it and the stop after it."""
    return _INDEX.sub("", sentence).strip(" \n.,:;")


def _trimmed(description: str) -> str:
    """Return a description without bullets, list numbers, "Event 1:", joining words and stray marks at its edges."""
    bare = re.sub(r"[(\[{<] ?[)\]}>]", "", description)
    words = _INDEX.sub("", bare).strip(_EDGE_MARKS).split()
    while words and words[0].lower().strip(_EDGE_MARKS) in {*_JOINING, ""}:
        words.pop(0)
    while words and words[-1].lower().strip(_EDGE_MARKS) in {*_JOINING, ""}:
        words.pop()
    return " ".join(words).strip(_EDGE_MARKS)


def _unescaped(text: str) -> str:
    """Return a JSON string's inside, unescaped where possible."""
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return text
