"""How rewards read an answer: by the one grammar, under the protocols of the papers that they are from."""

from __future__ import annotations

from dataclasses import replace

from timeground.data.rows import Row
from timeground.grammar.answers import parse_spans
from timeground.scoring import PROTOCOLS, Protocol, counted_spans
from timeground.spans import Span

FIRST = PROTOCOLS["timelens"]
"""Only the first pair counts, and only it can spoil the answer."""
ALL = replace(PROTOCOLS["timelens2"], swaps=False)
"""One bad pair spoils the whole answer, so that junk beside a good span never pays; a reversed one is bad."""
ALL_SWAPPED = PROTOCOLS["timelens2"]
"""The ends of a reversed pair are swapped first, as TimeLens2's released parser does; equal ends still spoil."""


def asks_when(row: Row) -> bool:
    """Return whether the answer to a row is made of spans. Other questions are scored by the rewards of ``qa.py``."""
    return row.task == "ground"


def spans_said(text: str, query: str | None = None, protocol: Protocol = ALL) -> list[Span] | None:
    """Return the spans of an answer; [] if it says that the event does not happen; None if it is no usable answer.

    query: what was looked for; where the answer repeats it, its words are not read as a denial.
    """
    return counted_spans(parse_spans(text, query=query), protocol)
