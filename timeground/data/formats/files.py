"""What every reader needs: find an annotation file, open it, and say in one line what is wrong with it."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from timeground.clock import parse_time
from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.spans import MAX_TIME_S, Span, clamp

UNKNOWN_DURATION_S = 0.0
"""Stands where a format does not publish the length of the video; measure the video before rows are written."""

PUBLISHED = "published_spans"
"""Key of ``Row.meta`` with the spans as they stood in the file, where a reader had to change them."""

MAX_FPS = 1000.0
MOST_LISTED = 20
"""Records without a row that are named; more are counted."""
_log = logging.getLogger(__name__)


def find_file(root: Path, *names: str, download: str) -> Path:
    """Return the first of the files ``names`` below ``root`` that is there; ``root`` itself if it is a file.

    Raise UserError with what to download where none is.
    """
    if root.is_file():
        return root
    for name in names:
        if (root / name).is_file():
            return root / name
    raise UserError(f"{root}: no file {' or '.join(names)}; download it from {download}")


def read_json(path: Path) -> Any:
    """Return a whole JSON file, decoded."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON ({error}); download it again") from error


def read_jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield line numbers (from 1) with the JSON value of each line; blank lines are skipped."""
    for number, line in read_lines(path):
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}:{number}: not JSON ({error}); download the file again") from error


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line numbers (from 1) with the text of each line that is not blank."""
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, line.strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as text ({error}); download it again") from error


def read_csv(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line numbers with the cells of each line of a CSV file that has a header."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            for cells in table:
                yield table.line_num, cells
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as CSV ({error}); download it again") from error


@contextmanager
def record(path: Path, where: object) -> Iterator[None]:
    """Turn what goes wrong inside a record of another shape into one line that names the record."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
        what = f"{type(error).__name__}: {error}"
        raise UserError(f"{path}:{where}: not in the published format ({what}); download the file again") from error


def good_rows(path: Path, records: Iterable[tuple[object, Any]], row_of: Callable[[object, Any], Row]) -> Iterator[Row]:
    """Yield the row of each record; those that are not in the published format give none, and are listed in the end.

    records: where each stands, and what it holds. Raise UserError if none of them gives a row.
    """
    bad: list[str] = []
    has_rows = False
    for where, item in records:
        try:
            with record(path, where):
                row = row_of(where, item)
        except UserError as error:
            bad.append(str(error).removesuffix("; download the file again"))
            continue
        has_rows = True
        yield row
    if bad and not has_rows:
        raise UserError(f"{bad[0]}, and so with all {len(bad)} records; download the file again")
    if bad:
        told = "\n  ".join([*bad[:MOST_LISTED], *([f"and {len(bad) - MOST_LISTED} more"] * (len(bad) > MOST_LISTED))])
        _log.warning("%s: %d records give no row:\n  %s", path, len(bad), told)


def seconds(value: object) -> float:
    """Return a number of seconds from a number or a text. Raise ValueError unless it is finite and 0 or more."""
    time_s = float(str(value))
    if not 0 <= time_s <= MAX_TIME_S:
        raise ValueError(f"{value} is no usable number of seconds")
    return time_s


def span_of(pair: Any) -> Span:
    """Return a ``[start, end]`` pair as a span, as published. Raise ValueError if it is reversed or not usable."""
    start_s, end_s = seconds(pair[0]), seconds(pair[1])
    if start_s > end_s:
        raise ValueError(f"the span {pair} ends before it starts")
    return Span(start_s, end_s)


def times_of(pair: Any) -> Span:
    """Return a pair of times, in seconds or as a clock shows them, as a span. Raise ValueError if it has no length."""
    start_s, end_s = pair
    span = span_of([parse_time(str(start_s)), parse_time(str(end_s))])
    if not span.length_s:
        raise ValueError(f"the span {list(pair)} has no length")
    return span


def clamped_span(pair: Any, duration_s: float) -> tuple[Span | None, dict[str, Any]]:
    """Return the span moved into ``[0, duration_s]``, and the meta entry that says so if that changed it.

    None where nothing with a length is left: reversed, empty, or outside the video.
    """
    span = Span(float(pair[0]), float(pair[1]))
    if span.is_reversed:
        return None, {}
    inside = clamp(span, 0.0, duration_s)
    changed = {} if inside == span else {PUBLISHED: [span.to_list()]}
    return (inside, changed) if inside.length_s > 0 else (None, {})


def mended_spans(pairs: Sequence[Any]) -> tuple[list[Span], dict[str, Any]]:
    """Return spans of a record, starts before 0 moved to 0, and the meta entry with all as published if one was.

    Raise ValueError for a span that is reversed, lies before the video, or is not usable.
    """
    published = [[float(str(pair[0])), float(str(pair[1]))] for pair in pairs]
    mended = [[max(start_s, 0.0), end_s] for start_s, end_s in published]
    return [span_of(pair) for pair in mended], {} if mended == published else {PUBLISHED: published}


def pictures_a_second(item: Any, usual: float | None = None) -> dict[str, float]:
    """Return the meta entry with the rate of a folder of pictures: an item's ``fps``, else the benchmark's usual."""
    fps = item.get("fps") if item.get("fps") is not None else usual
    if fps is None:
        return {}
    if not 0 < float(fps) <= MAX_FPS:
        raise ValueError(f"{fps} is no usable number of pictures a second")
    return {"folder_fps": float(fps)}


def report_left_out(path: Path, count: int, reason: str) -> None:
    """Say once how many records of a file gave no row, and why."""
    if count:
        _log.warning("%s: %d left out: %s", path, count, reason)


def report_mended(path: Path, count: int, what: str) -> None:
    """Say once how many records of a file are not as they should be, and what became of them."""
    if count:
        _log.warning("%s: %d %s", path, count, what)


def report_unanswerable(path: Path, rows_without_answer: int) -> None:
    """Say once how many items no answer can get right, as in the benchmark's own code."""
    report_mended(path, rows_without_answer, "with an answer that is none of the options; they always count as wrong")
