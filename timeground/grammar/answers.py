"""The answer grammar: what a model writes, read as spans of time.

The one parser of timeground, used by rewards, evaluation, pipeline and demo; ``docs/answers.md`` states the
grammar. A reply goes through three stages: ``reply.py`` finds the answer in it, ``time_tokens.py`` turns that into
tokens, and the rules below, tried in order, turn tokens into spans; the first rule that gives a span wins.
Nothing here raises on any text, and all of it takes time linear in the text.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from timeground.grammar.choices import ParsedOption, parse_option
from timeground.grammar.denials import is_refusal, says_nothing, without_denials, without_quotes, without_video_extent
from timeground.grammar.events import parse_events
from timeground.grammar.reply import time_candidates
from timeground.grammar.span_rules import find_spans, why_no_span
from timeground.grammar.yes_no import ParsedYesNo, parse_yes_no
from timeground.spans import Span

__all__ = [
    "ParsedOption",
    "ParsedSpans",
    "ParsedYesNo",
    "format_seconds",
    "parse_events",
    "parse_option",
    "parse_spans",
    "parse_yes_no",
]


@dataclass(frozen=True, slots=True)
class ParsedSpans:
    """What a reply says about when."""

    spans: tuple[Span, ...] = ()
    """As said, in the order said, repeats dropped; a reversed pair stays reversed (see `reversed`)."""
    rule: str = "none"
    """The rule that matched ("brackets", "labels", "range", "numbers", "prose", "absent") or "none"."""
    absent: bool = False
    """The reply says that it does not happen; that is an answer, not a failure."""
    failure: str | None = None
    """Why nothing matched, or None."""
    scores: tuple[float, ...] = ()
    """One for each span where the reply gives a score with each, as ``[start, end, score]`` does; else empty."""

    @property
    def parsed(self) -> bool:
        """Return True if the reply was understood: spans, or an explicit "does not happen"."""
        return self.failure is None

    @property
    def reversed(self) -> bool:
        """Return True if some span was said with its end before its start."""
        return any(span.is_reversed for span in self.spans)

    def ordered(self) -> ParsedSpans:
        """Return the lenient reading: reversed spans swapped."""
        return replace(self, spans=tuple(span.ordered() for span in self.spans))


def parse_spans(text: str, *, query: str | None = None) -> ParsedSpans:
    """Read the spans of a reply. Never raises; ``failure`` says why nothing was found.

    query: what was looked for. Where the reply repeats it, its words are not read as a denial ("the man does not
        find his keys" is something that can happen).
    """
    results = [_parse_candidate(candidate, query) for candidate in time_candidates(text)]
    return next((r for r in results if r.parsed), results[-1])


def _parse_candidate(text: str, query: str | None) -> ParsedSpans:
    """Read one tidied text: spans outside denials, then refusals, then denials, then a reason."""
    if not text:
        return ParsedSpans(failure="nothing is left after thinking and tags are taken off")
    affirmed, denied = without_denials(text, query)
    about_event = without_video_extent(affirmed)
    rule, found = find_spans(without_quotes(about_event))
    if not found:
        rule, found = find_spans(about_event)
    if found:
        scores = {match.span: match.score for match in reversed(found)}
        known = tuple(score for score in scores.values() if score is not None)
        spans = tuple(dict.fromkeys(match.span for match in found))
        return ParsedSpans(
            spans, rule, scores=tuple(scores[s] or 0.0 for s in spans) if len(known) == len(spans) else ()
        )
    if is_refusal(text):
        return ParsedSpans(failure="the model says that it cannot see the video")
    if denied or says_nothing(text):
        return ParsedSpans(rule="absent", absent=True)
    return ParsedSpans(failure=why_no_span(text))


def format_seconds(time_s: float, *, decimals: int = 1) -> str:
    """Return a time as the grammar writes it: ``12.5``. Raise ValueError for a negative or non-finite time."""
    if not 0 <= time_s < float("inf"):
        raise ValueError(f"a time must be a finite number of seconds from 0 on, got {time_s}")
    return f"{abs(time_s):.{decimals}f}"
