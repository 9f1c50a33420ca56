"""From an answer to what it says: the spans of its text by the one grammar."""

from __future__ import annotations

from timeground.data.rows import Row
from timeground.grammar.answers import parse_spans
from timeground.scoring import Protocol, counted_spans
from timeground.spans import Span


def asks_when(row: Row) -> bool:
    """Return whether the answer to a row is made of spans. Other questions are scored by the rewards of ``qa.py``."""
    return row.task == "ground"


def spans_said(
    text: str, query: str | None = None, *, first_only: bool = False, swap_reversed: bool = False
) -> list[Span] | None:
    """Return the spans of an answer; [] if it says that the event does not happen; None if it is no usable answer.

    An answer is not usable if the grammar reads nothing in it, or if any pair has start >= end: one bad pair
    spoils the whole answer (TimeLens2), so that junk beside a good span never pays.

    query: what was looked for; where the answer repeats it, its words are not read as a denial.
    first_only: only the first pair counts, and only it can spoil the answer (TimeLens).
    swap_reversed: the ends of a reversed pair are swapped first, as TimeLens2 does; equal ends still spoil.
    """
    return counted_spans(parse_spans(text, query=query), Protocol(first_only, swaps=swap_reversed, spoils=True))
