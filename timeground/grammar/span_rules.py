"""Tokens into spans: the rules of the answer grammar, tried in order (``docs/answers.md``).

Every rule takes the tokens of a text and returns the spans that it sees, with the place of each in the text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from timeground.grammar.reply import word_set
from timeground.grammar.time_tokens import Token, tokenize
from timeground.spans import Span

_OPENS = {"[": "]", "(": ")", "{": "}", "<": ">"}
_STARTS = word_set("start starts started starting begin begins beginning began onset starttime begintime")
_ENDS = word_set(
    "end ends ended ending finish finishes finished finishing stop stops stopping endtime finishtime offset"
)
_LABEL_FILLER = word_set(": = is are was at in on from of @ - _ - ( [ { <")
_TO = word_set("to until till through thru -> --> ---> - -- --- ~")
_BEFORE_TO = word_set("up lasts lasting and all way , ends ending")
_TIME_PREPOSITIONS = word_set("from at to until till through by since between @ after starting ending")
_LENGTH_WORDS = word_set("for lasts lasting last duration long")
_LENGTH_NOUNS = word_set("long video clip apart later duration")
_FRAMES = word_set("frame frames")
_PLACES = word_set(
    "at point position positions location located coordinate coordinates box bbox pixel pixels region 2d "
    "duration length size"
)
_CONNECTORS = word_set("and or then , . ; ] ) } > : in")


@dataclass(frozen=True, slots=True)
class Match:
    """A span, and where the text says it."""

    span: Span
    start: int
    """Its first character."""
    end: int
    """The end of its characters."""
    score: float | None = None
    """The score that stands with it."""
    is_malformed: bool = False


def find_spans(text: str) -> tuple[str, list[Match]]:
    """Return the name of the first rule that sees spans in the text, and those spans; else ("none", []).

    Where one of them stands on a malformed time there are none: the rest would not be what was said.
    """
    tokens = tokenize(text)
    for name, rule in _RULES.items():
        found = rule(tokens)
        if any(match.is_malformed for match in found):
            break
        if found:
            return name, found
    return "none", []


def why_no_span(text: str) -> str:
    """Return one line for a text in which no rule sees a span."""
    tokens = tokenize(text)
    times = [token for token in tokens if token.kind == "time"]
    malformed = next((token for token in times if token.is_malformed), None)
    if any(token.text == "negative" for token in tokens):
        return "a time is negative"
    if malformed and "," in malformed.text:
        count = len(times) + sum("," in token.text for token in times if token.is_malformed)
        return f"{count} numbers with commas between, and {malformed.text!r} may be one of them or two"
    if malformed:
        return f"{malformed.text!r} is no time (clocks are MM:SS or HH:MM:SS)"
    if not times:
        return "no time in the answer"
    if len(times) == 1:
        return f"only one time ({times[0].time_s:g} s); a span needs a start and an end"
    return f"{len(times)} numbers, but no rule reads them as starts and ends"


def _match(first: Token, last: Token) -> Match:
    """Return a span from two time tokens; a bare first number takes the unit of the second ("1 to 2 minutes")."""
    scale_s = first.scale_s or (last.scale_s if not last.is_clock else 0.0) or 1.0
    span = Span(first.value * scale_s, last.time_s)
    is_malformed = first.is_malformed or last.is_malformed
    return Match(span, min(first.start, last.start), max(first.end, last.end), is_malformed=is_malformed)


def _brackets(tokens: list[Token]) -> list[Match]:
    """Match ``[a, b]``, ``(a, b)``, ``<a, b>``, ``{a, b}``, alone or in a list; ``[a, b, score]`` with a score to 1.

    A pair that the text calls a place ("the person at (120, 340)") counts only if it says nothing better.
    """
    found: list[Match] = []
    places: list[Match] = []
    for i in range(len(tokens) - 4):
        match = _bracketed(tokens, i)
        if match is None or tokens[i - 1].text in _FRAMES:
            continue
        before = {token.text for token in tokens[max(0, i - 4) : i]}
        follows_place = bool(places) and match.start - places[-1].end <= 2
        (places if before & _PLACES or follows_place else found).append(match)
    if places and not found and _elsewhere(tokens, places):
        return []
    return found or places


def _bracketed(tokens: list[Token], i: int) -> Match | None:
    """Return the span of a pair or of a scored pair whose bracket opens at i."""
    opening, first, comma, last, closing = tokens[i : i + 5]
    if opening.text not in _OPENS or comma.text not in (",", ";") or not first.kind == last.kind == "time":
        return None
    pair = _match(first, last)
    if closing.text == _OPENS[opening.text]:
        return replace(pair, start=opening.start, end=closing.end)
    if closing.text != "," or len(tokens) < i + 7 or tokens[i + 6].text != _OPENS[opening.text]:
        return None
    score = tokens[i + 5]
    if score.kind != "time" or score.is_sure or not score.value <= 1:
        return None
    return replace(pair, start=opening.start, end=tokens[i + 6].end, score=score.value)


def _elsewhere(tokens: list[Token], places: list[Match]) -> bool:
    """Return True if the text says spans by another rule, outside what may be places."""
    rest = [t for t in tokens if not any(place.start <= t.start < place.end for place in places)]
    return any(rule(rest) for name, rule in _RULES.items() if name != "brackets")


def _labels(tokens: list[Token]) -> list[Match]:
    """Match ``Start: a, End: b``, ``{"start_time": a, "end_time": b}``, "starts at a and ends at b"."""
    labelled: list[tuple[str, Token]] = []
    label = ""
    for token in tokens:
        if token.text in _STARTS or token.text in _ENDS:
            label = "start" if token.text in _STARTS else "end"
        elif token.kind == "time" and label:
            labelled.append((label, token))
            label = ""
        elif token.text not in _LABEL_FILLER:
            label = ""
    found: list[Match] = []
    i = 0
    while i + 1 < len(labelled):
        (name, a), (other, b) = labelled[i], labelled[i + 1]
        if name != other:
            pair = _match(a, b) if name == "start" else _match(b, a)
            found.append(pair)
        i += 1 if name == other else 2
    return found


def _ranges(tokens: list[Token]) -> list[Match]:
    """Match ``a - b``, ``a to b``, ``a ~ b``, "a until b", "between a and b", as many as there are."""
    found: list[tuple[Match, bool]] = []
    i, previous_last = 0, -1
    while i < len(tokens):
        last = _range_end(tokens, i)
        if last is None or (i - 2 != previous_last and _follows_decimal_comma(tokens, i)):
            i += 1
            continue
        following = _range_end(tokens, last)
        if following is not None and tokens[i].is_index and not tokens[last].is_index:
            i, last = last, following  # "1 - 3.0 to 5.0": a list number, then the range
        elif following is not None:
            i = following + 1  # a date or a score, not a range
            continue
        found.append((_match(tokens[i], tokens[last]), _is_doubtful(tokens, i, last)))
        previous_last = last
        i = last + 1
    if not all(doubtful for _, doubtful in found):
        found = [(match, doubtful) for match, doubtful in found if not doubtful]
    return [match for match, _ in found]


def _follows_decimal_comma(tokens: list[Token], i: int) -> bool:
    """Return True for the 5 of "12,5 - 20,1", which is no start of a range; after a range, a comma parts ranges."""
    if i < 2 or tokens[i - 1].text != "," or tokens[i - 2].kind != "time":
        return False
    return tokens[i - 2].end + 1 == tokens[i].start


def _range_end(tokens: list[Token], i: int) -> int | None:
    """Return the index of the time that ends the range begun by the time at i, or None."""
    if tokens[i].kind != "time":
        return None
    j = i + 1
    while j < len(tokens) and j < i + 4 and tokens[j].text in _BEFORE_TO:
        j += 1
    is_between = (
        i > 0 and tokens[i - 1].text == "between" and tokens[i + 1 : i + 2] != [] and tokens[i + 1].text == "and"
    )
    if is_between:
        j = i + 1
    elif j >= len(tokens) or tokens[j].text not in _TO:
        return None
    j += 1
    while j < len(tokens) and j < i + 6 and tokens[j].text in ("at", "of", "="):
        j += 1
    return j if j < len(tokens) and tokens[j].kind == "time" else None


def _is_doubtful(tokens: list[Token], i: int, last: int) -> bool:
    """Return True for "2 to 3 people": whole numbers without a unit, then a noun. Dropped if there is better."""
    if not (tokens[i].is_index and tokens[last].is_index) or last + 1 >= len(tokens):
        return False
    return tokens[last + 1].kind == "word" and tokens[last + 1].text not in _CONNECTORS


def _numbers(tokens: list[Token]) -> list[Match]:
    """Return nothing but an even count of times, in pairs: ``12.5, 20.1``, ``12.5 and 20.1``, ``[5, 9, 20, 25]``.

    Threes whose third is always a score to 1 are scored pairs: ``[134, 138, 0.9, 140, 150, 0.8]``.
    """
    if any(t.kind != "time" and t.text not in (*"[](){}<>,;.\n", "and") for t in tokens):
        return []
    times = [token for token in tokens if token.kind == "time"]
    threes = [times[i : i + 3] for i in range(0, len(times), 3)]
    if len(times) % 3 == 0 and all(a.value < b.value > 1 >= c.value for a, b, c in threes):
        return [replace(_match(a, b), score=c.value) for a, b, c in threes]
    return [] if _has_odd_list(tokens) else _paired(times)


def _has_odd_list(tokens: list[Token]) -> bool:
    """Return True if brackets hold an odd count of times: pairs would be made across lists."""
    counts = [0]
    for token in tokens:
        if token.kind == "time":
            counts[-1] += 1
        elif token.text in (*_OPENS, *_OPENS.values()):
            counts.append(0)
    return any(count % 2 for count in counts)


def _prose(tokens: list[Token]) -> list[Match]:
    """Return times in sentences, in pairs: "enter from 5.0 and leave at 9.0", "at 12.5 s ... until 20 s".

    Times with a unit or a clock count; if there are none, numbers behind a preposition of time. Lengths ("for
    4 seconds", "a 30 second video") do not.
    """
    times = [(i, t) for i, t in enumerate(tokens) if t.kind == "time" and not _is_length(tokens, i)]
    sure = [token for _, token in times if token.is_sure]
    marked = [t for i, t in times if t.is_sure or (i > 0 and tokens[i - 1].text in _TIME_PREPOSITIONS)]
    return _paired(sure if len(sure) > 1 else marked)


def _is_length(tokens: list[Token], i: int) -> bool:
    """Return True if the time at i says how long, not when."""
    following = tokens[i + 1].text if i + 1 < len(tokens) else ""
    return following in _LENGTH_NOUNS or (i > 0 and tokens[i - 1].text in _LENGTH_WORDS)


def _paired(times: list[Token]) -> list[Match]:
    """Return times taken two by two; nothing if one would be left over."""
    if len(times) % 2:
        return []
    return [_match(times[i], times[i + 1]) for i in range(0, len(times), 2)]


_RULES: dict[str, Callable[[list[Token]], list[Match]]] = {
    "brackets": _brackets,
    "labels": _labels,
    "range": _ranges,
    "numbers": _numbers,
    "prose": _prose,
}
