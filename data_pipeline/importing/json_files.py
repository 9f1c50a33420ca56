"""JSON and JSONL as records: lists, objects by video, objects with a list in them, events inside of videos."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timeground.data.row_checks import shown
from timeground.errors import UserError

from .columns import tells_times
from .label_studio import is_task, regions_of
from .record import Place, Read, Record, Refused
from .texts import MAX_LINE_BYTES, TooLong, raw_lines, whole_text

KEY = "key"
"""Column that holds the key of an object of objects, which mostly is the video."""
LISTS = (
    "database",
    "data",
    "annotations",
    "rows",
    "results",
    "items",
    "examples",
    "samples",
    "videos",
    "moments",
    "events",
)
"""Keys under which a file's list, or its object of objects, is found."""
SPACE = re.compile(r"[ \t\r\n]*")


def read_jsonl(path: Path) -> Read:
    """Yield the records of a file with one JSON object a line."""
    for number, line in raw_lines(path):
        place = Place(str(path), number)
        if isinstance(line, TooLong):
            yield Refused(place, f"more than {MAX_LINE_BYTES >> 20} MB on one line")
        elif line.strip():
            try:
                found = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
            except UnicodeDecodeError:
                yield Refused(place, "not UTF-8; save the file as UTF-8")
            except (ValueError, RecursionError) as error:
                yield Refused(place, f"not JSON ({error})")
            else:
                yield from records_of(place, found)


def read_json(path: Path) -> Read:
    """Yield the records of a JSON file; one whose lines are objects is read as JSONL."""
    text = whole_text(path)
    start = SPACE.match(text)
    assert start is not None
    if text[start.end() : start.end() + 1] == "[":
        yield from _entries(path, text, start.end() + 1)
        return
    try:
        found = json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            yield from read_jsonl(path)
            return
        raise UserError(f"{path}:{error.lineno}: not JSON ({error.msg})") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not usable JSON ({error})") from None
    yield from _of_object(path, found)


def _entries(path: Path, text: str, position: int) -> Read:
    """Yield the records of a list, each with the line that it begins on."""
    decoder, line = json.JSONDecoder(), text.count("\n", 0, position) + 1
    while True:
        begin = SPACE.match(text, position).end()  # type: ignore[union-attr]
        line += text.count("\n", position, begin)
        if text[begin : begin + 1] == "]":
            return
        place = Place(str(path), line)
        try:
            entry, position = decoder.raw_decode(text, begin)
        except (ValueError, RecursionError) as error:
            reason = "the list has no end" if begin == len(text) else getattr(error, "msg", error)
            yield Refused(place, f"not JSON ({reason}); nothing after it was read")
            return
        yield from records_of(place, entry)
        line += text.count("\n", begin, position)
        after = SPACE.match(text, position).end()  # type: ignore[union-attr]
        line += text.count("\n", position, after)
        if text[after : after + 1] not in (",", "]"):
            yield Refused(Place(str(path), line), "not JSON (no comma after an entry); nothing after it was read")
            return
        position = after + (text[after] == ",")


def _of_object(path: Path, found: Any) -> Read:
    """Yield the records of an object: one record, or a list or an object of objects, at the top or under a key."""
    place = Place(str(path))
    if not isinstance(found, dict):
        raise UserError(f"{path}: expected a list of objects, or an object of them, got {shown(found)}")
    if is_task(found) or tells_times(found):
        yield from records_of(place, found)
        return
    inner = next((found[key] for key in LISTS if isinstance(found.get(key), list | dict) and found[key]), None)
    if isinstance(inner, list) and not _nested(found):
        for number, entry in enumerate(inner, start=1):
            yield from records_of(Place(str(path), number), entry)
    elif _nested(found) and not all(isinstance(value, list) for value in found.values()):
        yield from records_of(place, found)
    else:
        yield from _by_key(place, inner if isinstance(inner, dict) else found)


def _by_key(place: Place, objects: dict[str, Any]) -> Read:
    for key, value in objects.items():
        for entry in value if isinstance(value, list) else [value]:
            inside = place.inside(key)
            if isinstance(entry, dict):
                yield from records_of(inside, {KEY: key, **entry})
            else:
                yield Refused(inside, f"not an object: {shown(entry)}")


def records_of(place: Place, entry: Any) -> Iterator[Record | Refused]:
    """Yield the records of one object: itself, the regions of a Label Studio task, or the events that it lists."""
    if not isinstance(entry, dict):
        yield Refused(place, f"not an object: {shown(entry)}")
        return
    if is_task(entry):
        yield from regions_of(place, entry)
        return
    key = None if tells_times(entry) else _nested(entry)
    if key is None:
        yield Record(place, entry)
        return
    shared = {name: value for name, value in entry.items() if name != key}
    for number, event in enumerate(entry[key]):
        inside = place.inside(f"{key}[{number}]")
        if isinstance(event, dict):
            yield Record(inside, shared | event)
        else:
            yield Refused(inside, f"not an object: {shown(event)}")


def _nested(entry: dict[str, Any]) -> str | None:
    """Return the key of the list of events in an object."""
    for key, value in entry.items():
        if isinstance(value, list) and any(isinstance(event, dict) and tells_times(event) for event in value):
            return key
    return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {shown(next(n for n in names if names.count(n) > 1))} stands twice in one object")
    return found
