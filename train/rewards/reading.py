"""From a completion to what it says: its text, and the spans of the text by the one grammar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from timeground.data.row_checks import shown
from timeground.errors import UserError
from timeground.grammar.answers import parse_spans
from timeground.spans import Span


def texts_of(completions: Sequence[Any]) -> list[str]:
    """The text of each completion: a string, or TRL's list of messages, of which the last assistant's counts."""
    return [completion if isinstance(completion, str) else _last_said(completion) for completion in completions]


def _last_said(messages: Any) -> str:
    """Text of the last message of the assistant; its content is a string or a list of parts."""
    try:
        said = [message for message in messages if message["role"] == "assistant"]
        content = said[-1]["content"] if said else ""
        if isinstance(content, str | None):
            return content or ""
        return "".join(part["text"] for part in content if "text" in part)
    except (TypeError, KeyError):
        raise UserError(
            f"a completion must be a text or a list of messages with role and content, got {shown(messages)}"
        ) from None


def spans_said(
    text: str, query: str | None = None, *, first_only: bool = False, swap_reversed: bool = False
) -> list[Span] | None:
    """The spans of an answer; [] if it says that the event does not happen; None if it is no usable answer.

    An answer is not usable if the grammar reads nothing in it, or if any pair has start >= end: one bad pair
    spoils the whole answer (TimeLens2), so that junk beside a good span never pays.

    query: what was looked for; where the answer repeats it, its words are not read as a denial.
    first_only: only the first pair counts, and only it can spoil the answer (TimeLens).
    swap_reversed: the ends of a reversed pair are swapped first, as TimeLens2 does; equal ends still spoil.
    """
    parsed = parse_spans(text, query=query)
    if swap_reversed:
        parsed = parsed.ordered()
    spans = list(parsed.spans[:1] if first_only else parsed.spans)
    return spans if parsed.parsed and all(span.length_s > 0 for span in spans) else None
