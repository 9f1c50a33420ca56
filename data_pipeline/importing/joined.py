"""Drafts to rows: spans of one query joined, ids given, every row unique."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath

from timeground.data.row_checks import shown
from timeground.data.rows import Row
from timeground.spans import Span, merge

from ..notes import note
from .drafts import NO_ID, Draft
from .record import Refused

MAX_PLACES = 20
"""Of a row that are listed in its history."""


def rows_of(drafts: Iterable[Draft], join: bool = True) -> tuple[list[Row], list[Refused]]:
    """Return the rows in the order in which each came first, and what has an id that another has.

    join: spans of the same query (capitals and spaces apart) of the same video become one row.
    """
    together = _joined(drafts) if join else list(drafts)
    rows, refused = [], []
    taken: dict[str, Draft] = {}
    for draft in together:
        if draft.own_id is None:
            continue
        if (other := taken.setdefault(draft.own_id, draft)) is not draft:
            whose = f"id {shown(draft.own_id)} is that of {other.places[0]} too"
            reason = f"{whose}; make ids unique, or have them made (--map id=)"
            refused += [Refused(place, reason) for place in draft.places]
    numbers: dict[str, int] = {}
    ids = set(taken)
    for draft in together:
        if draft.own_id is not None and taken[draft.own_id] is not draft:
            continue
        row = _named(draft.row, numbers, ids) if draft.own_id is None else draft.row
        if not draft.is_row:
            note(row, "import", "made", f"from {_listed(draft)}")
        rows.append(row)
    return rows, refused


def overlapping(rows: Iterable[Row]) -> int:
    """Return how many rows have spans that overlap, as those of several annotators do."""
    return sum(len(merge(row.spans)) < len([span for span in row.spans if span.length_s]) for row in rows)


def _joined(drafts: Iterable[Draft]) -> list[Draft]:
    found: dict[tuple[object, ...], Draft] = {}
    for number, draft in enumerate(drafts):
        row = draft.row
        same = (row.video, " ".join(row.query.split()).casefold(), row.question, row.window)
        first = found.setdefault(same if draft.is_single else (number,), draft)
        if first is not draft:
            spans: list[Span] = sorted({*first.row.spans, *row.spans})
            first.row = replace(first.row, spans=spans)
            first.places += draft.places
    return list(found.values())


def _named(row: Row, numbers: dict[str, int], ids: set[str]) -> Row:
    """Return the row with an id made of its video and a number."""
    assert row.id == NO_ID
    stem = PurePosixPath(row.video).with_suffix("").as_posix()
    while True:
        numbers[stem] = numbers.get(stem, -1) + 1
        name = f"{stem}-{numbers[stem]}"
        if name not in ids:
            ids.add(name)
            return replace(row, id=name)


def _listed(draft: Draft) -> str:
    names = [str(place) for place in draft.places]
    return ", ".join(names[:MAX_PLACES]) + (f" and {len(names) - MAX_PLACES} more" if len(names) > MAX_PLACES else "")
