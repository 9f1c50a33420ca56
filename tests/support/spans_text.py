"""Spans written as text, as the grammar reads them back."""

from __future__ import annotations

from collections.abc import Sequence

from timeground.grammar.answers import format_seconds
from timeground.spans import Span

NO_EVENT = "The event does not happen."


def format_spans(spans: Sequence[Span], *, decimals: int = 1) -> str:
    """``3.0 - 7.5 seconds, 20.0 - 25.0 seconds``; no span gives `NO_EVENT`."""
    if not spans:
        return NO_EVENT
    pairs = ((format_seconds(s.start_s, decimals=decimals), format_seconds(s.end_s, decimals=decimals)) for s in spans)
    return ", ".join(f"{start} - {end} seconds" for start, end in pairs)
