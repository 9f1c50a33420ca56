"""How rewards read an answer: by the one grammar, under the protocols of the papers that they are from."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import AfterValidator

from timeground.data.rows import Row
from timeground.scoring import PROTOCOLS, Protocol, counted_spans, parse_when, protocol_of
from timeground.spans import Span

FIRST = PROTOCOLS["timelens"]
"""Only the first pair counts, and only it can spoil the answer."""
ALL = replace(PROTOCOLS["timelens2"], swaps=False)
"""One bad pair spoils the whole answer, so that junk beside a good span never pays; a reversed one is bad."""


def _known(name: str) -> str:
    """Return the name of a protocol. Raise UserError for one that is none."""
    protocol_of(name)
    return name


ProtocolName = Annotated[str, AfterValidator(_known)]
"""A protocol of `timeground.scoring`, by name, in a recipe."""


def protocol_for(name: str | None, default: Protocol, swap_reversed: bool = False) -> Protocol:
    """Return the protocol of a name, or a reward's own; with the ends of reversed pairs swapped if asked."""
    protocol = protocol_of(name) if name else default
    return replace(protocol, swaps=True) if swap_reversed else protocol


def asks_when(row: Row) -> bool:
    """Return whether the answer to a row is made of spans. Other questions are scored by the rewards of ``qa.py``."""
    return row.task == "ground"


def spans_said(text: str, query: str | None = None, protocol: Protocol = ALL) -> list[Span] | None:
    """Return the spans of an answer; [] if it says that the event does not happen; None if it is no usable answer.

    query: what was looked for; where the answer repeats it, its words are not read as a denial.
    """
    return counted_spans(parse_when(text, query), protocol)
