"""The answer grammar: what a model writes, read as spans of time, and spans written as text.

The one parser of timeground, used by rewards, evaluation, pipeline and demo; ``docs/answers.md`` states the
grammar. A reply goes through three stages: ``reply.py`` finds the answer in it, ``times.py`` turns that into
tokens, and the rules below, tried in order, turn tokens into spans; the first rule that gives a span wins.
Nothing here raises on any text, and all of it takes time linear in the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .choices import ParsedOption, ParsedYesNo, parse_option, parse_yes_no
from .reply import final_text, time_candidates, word_set
from .span_rules import find_spans, why_no_span
from .spans import Span

__all__ = [
    "NO_EVENT",
    "ParsedOption",
    "ParsedSpans",
    "ParsedYesNo",
    "format_seconds",
    "format_spans",
    "parse_events",
    "parse_option",
    "parse_spans",
    "parse_yes_no",
]

NO_EVENT = "The event does not happen."
"""How ``format_spans`` writes that there is no span."""

_THINGS = (
    r"(?:event|moment|segment|span|scene|action|activity|clip|interval|instance|occurrence|match|"
    r"evidence)s?"
)
_DENIED = (
    r"(?:happen|occur|appear|exist|take place|present|shown?|seen?|visible|found|find|depict|contain|include|"
    r"match|detect|locate|available|applicable)"
)
_DENIAL = re.compile(
    rf"\bno (?:such|matching|relevant|corresponding|clear) |\bno {_THINGS}\b|"
    rf"(?:\b(?:not|never|cannot|unable to)|n't)(?: (?!only\b)\w{{1,20}}){{0,3}}? {_DENIED}"
    r"(?!\w*(?: \w{1,20}){0,2}? (?:until|till|before|again|twice|only|once|yet|at first|initially)\b)",
)
_WEAK_DENIAL = re.compile(r"\bthere (?:is|was|are|were) (?:no|not|never) |\b(?:isn't|aren't|wasn't) (?:a|any)\b")
_NOTHING = re.compile(r"(?:none|null|nil|n/a|never|absent|nothing|no)(?: (?:found|event))?")
_SENTENCE_END = re.compile(r"[.!?;](?=\s|$)|,? (?:but|however)\b|\n")


@dataclass(frozen=True, slots=True)
class ParsedSpans:
    """What a reply says about when.

    spans: as said, in the order said, repeats dropped; a reversed pair stays reversed (see ``reversed``).
    rule: the rule that matched ("brackets", "labels", "range", "numbers", "prose", "absent") or "none".
    absent: the reply says that it does not happen; that is an answer, not a failure.
    failure: why nothing matched, or None.
    outside: some span leaves ``[0, duration_s]`` (only looked at when a duration is given).
    """

    spans: tuple[Span, ...] = ()
    rule: str = "none"
    absent: bool = False
    failure: str | None = None
    outside: bool = False

    @property
    def parsed(self) -> bool:
        """True if the reply was understood: spans, or an explicit "does not happen"."""
        return self.failure is None

    @property
    def reversed(self) -> bool:
        """True if some span was said with its end before its start."""
        return any(span.is_reversed for span in self.spans)

    def ordered(self) -> ParsedSpans:
        """The lenient reading: reversed spans swapped."""
        return replace(self, spans=tuple(span.ordered() for span in self.spans))


def parse_spans(text: str, *, duration_s: float | None = None) -> ParsedSpans:
    """Read the spans of a reply. Never raises; ``failure`` says why nothing was found.

    duration_s: length of the video in seconds. It never changes what is read, it only sets ``outside``.
    """
    results = [_parse_candidate(candidate) for candidate in time_candidates(text)]
    result = next((r for r in results if r.parsed), results[-1])
    if duration_s is None:
        return result
    outside = any(min(s.start_s, s.end_s) < 0 or max(s.start_s, s.end_s) > duration_s for s in result.spans)
    return replace(result, outside=outside)


def _parse_candidate(text: str) -> ParsedSpans:
    """Read one tidied text: spans outside denials, then denials, then a reason."""
    if not text:
        return ParsedSpans(failure="nothing is left after thinking and tags are taken off")
    affirmed, denied = _without_denials(text)
    rule, found = find_spans(affirmed)
    if found:
        return ParsedSpans(tuple(dict.fromkeys(match.span for match in found)), rule)
    if denied or _says_nothing(text):
        return ParsedSpans(rule="absent", absent=True)
    return ParsedSpans(failure=why_no_span(text))


def _without_denials(text: str) -> tuple[str, bool]:
    """The text without sentences such as "it does not happen", and whether there were any."""
    kept, denied, start = [], False, 0
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    for end in [*ends, len(text)]:
        sentence = text[start:end]
        if _DENIAL.search(sentence.lower()):
            denied = True
        else:
            kept.append(sentence)
        start = end
    return "".join(kept), denied


def _says_nothing(text: str) -> bool:
    """True for an empty list, null, "none", or "there is no ..." beside which no time was found."""
    lowered = text.lower()
    bare = lowered.strip(" .!\"'()<>{}[]\n")
    is_empty_list = re.search(r"\[\s?\]", lowered) is not None and not re.search(r"[0-9]", lowered)
    is_null = re.search(r"\bnull\b", lowered) is not None and not re.search(r"[0-9]", lowered)
    only_brackets = bare == "" and lowered.strip() != "" and set(lowered) & set("[]{}()") != set()
    is_word = _NOTHING.fullmatch(bare) is not None and bare != "no"
    return is_empty_list or is_null or only_brackets or is_word or _WEAK_DENIAL.search(lowered) is not None


_OBJECT = re.compile(r"\{[^{}]*\}")
_OBJECT_TEXT = re.compile(
    r'"(?:event|description|query|caption|label|text|sentence|action|activity|name)" ?: ?"((?:[^"\\]|\\.)*)"',
    re.IGNORECASE,
)
_EDGE_MARKS = " \n.,:;|~=-_\"'()[]{}<>#"
_JOINING = word_set("from between at during in is happens occurs starts seconds second secs sec s and")


def parse_events(text: str) -> list[tuple[str, Span]]:
    """Read a list of events with their times, in the order written; lines without both are left out.

    An event is a line (or what stands between semicolons, or a JSON object) that holds one span before or
    after a description: ``0.0 - 4.5: a man sits``, ``a man sits: 0.0 - 4.5``, ``From 0.0 to 4.5, he sits``.
    """
    answer, _ = final_text(text)
    objects = _OBJECT.findall(answer) if re.search(r'\{\s?"', answer) else []
    events: list[tuple[str, Span]] = []
    for piece in objects or _event_lines(answer):
        _, found = find_spans(piece)
        if not found:
            continue
        named = _OBJECT_TEXT.search(piece) if objects else None
        said = piece[: found[0].start] + " " + piece[found[0].end :]
        description = _unescaped(named[1]) if named else _trimmed(said)
        if description:
            events.append((description, found[0].span))
    return events


def _event_lines(text: str) -> list[str]:
    """Lines and parts between semicolons; a part with several spans is cut into its sentences."""
    lines: list[str] = []
    for part in re.split(r"[;\n]", text):
        cut = len(find_spans(part)[1]) > 1
        lines += re.split(r"(?<=[.!?]) (?=[A-Z0-9\[(<])", part) if cut else [part]
    return lines


def _trimmed(description: str) -> str:
    """A description without bullets, list numbers, joining words and stray marks at its edges."""
    words = re.sub(r"^\W*[0-9]{1,3}[.)] |[(\[{<] ?[)\]}>]", "", description).strip(_EDGE_MARKS).split()
    while words and words[0].lower().strip(_EDGE_MARKS) in {*_JOINING, ""}:
        words.pop(0)
    while words and words[-1].lower().strip(_EDGE_MARKS) in {*_JOINING, ""}:
        words.pop()
    return " ".join(words).strip(_EDGE_MARKS)


def _unescaped(text: str) -> str:
    """A JSON string's inside, unescaped where possible."""
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return text


def format_seconds(time_s: float, *, decimals: int = 1) -> str:
    """A time as the grammar writes it: ``12.5``. Raises ValueError for a negative or non-finite time."""
    if not 0 <= time_s < float("inf"):
        raise ValueError(f"a time must be a finite number of seconds from 0 on, got {time_s}")
    return f"{abs(time_s):.{decimals}f}"


def format_spans(spans: Sequence[Span], *, decimals: int = 1) -> str:
    """Spans as canonical text: ``3.0 - 7.5 seconds, 20.0 - 25.0 seconds``; no span gives ``NO_EVENT``.

    ``parse_spans`` reads it back to the precision written (TimeLens writes one decimal).
    """
    if not spans:
        return NO_EVENT
    pairs = ((format_seconds(s.start_s, decimals=decimals), format_seconds(s.end_s, decimals=decimals)) for s in spans)
    return ", ".join(f"{start} - {end} seconds" for start, end in pairs)
