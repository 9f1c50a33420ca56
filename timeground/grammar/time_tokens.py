"""Text into tokens: times, words and marks. The second stage of the answer grammar (``docs/answers.md``).

A time is a number of seconds that may carry a unit, a clock (``MM:SS``, ``HH:MM:SS``) or a compound
(``1 min 20 s``, ``1'20"``). Numbers glued to letters (``3D``, ``1st``, ``1080p``), percentages and versions are
not. What looks like a time but has no one reading (``0:5``, ``00:00:05:12``, ``5,2 s``) is a malformed time: a
span that stands on it fails as a whole, and no part of it is taken for another number.
Every pattern is linear in the length of the text: it starts at a fixed place and repeats one class at a time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from timeground.grammar.reply import word_set
from timeground.spans import MAX_TIME_S

_SCALES_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SECONDS = r"(?:seconds?|secs?|s)"
_MINUTES = r"(?:minutes?|mins?|m)"
_HOURS = r"(?:hours?|hrs?|h)"
_AND = r"(?:[ ]?,|[ ]and)?[ ]?"
_UNIT = rf"[ -]?(?:{_SECONDS}|ms|minutes?|mins?|hours?|hrs?)(?!\w)|[mh](?!\w)"
_TOKEN = re.compile(
    rf"""
    (?P<clock>(?<![\w.:])[0-9]+(?::[0-9]+)+(?:[.,;][0-9]+(?![0-9]|:[0-9]))*(?:[ ]?{_HOURS}\b|s\b|[ ]?[ap]\.?m\b|\w+)?)
  | (?P<primes>(?<![\w.])[0-9]{{1,3}}'(?:[ ]?[0-9]{{1,2}}(?:\.[0-9]+)?(?:"|''|'(?!\w))?(?!\w)))
  | (?P<minutes>(?<![\w.])[0-9]+(?:\.[0-9]+)?'(?!\w))
  | (?P<compound>(?<![\w.])
      (?: [0-9]+[ ]?{_HOURS}\b{_AND}[0-9]+[ ]?{_MINUTES}\b(?:{_AND}[0-9]+(?:\.[0-9]+)?[ ]?{_SECONDS})?
        | [0-9]+[ ]?{_MINUTES}\b{_AND}[0-9]+(?:\.[0-9]+)?[ ]?{_SECONDS}
        | (?:[0-9]+h)?[0-9]+m[0-9]+(?:\.[0-9]+)?s
        | [0-9]+[ ]?(?:{_MINUTES}|{_HOURS})[ ]?[0-9]{{1,2}}(?![.:,]?[0-9]|[ ](?!(?:to|until|till|and|through)\b)[a-z])
        )(?!\w))
  | (?P<comma>(?<![\w.,])[0-9]+,(?:[0-9]{{1,2}}|[0-9]{{4,9}})(?:{_UNIT}|(?!\w|[.,][0-9])))
  | (?P<fraction>(?<![\w.])[0-9]+/[0-9]+(?!\w))
  | (?P<number>(?<![\w.])(?:[0-9]{{1,3}}(?:,[0-9]{{3}})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|(?<![\w.])\.[0-9]+)
      (?P<unit>{_UNIT})?(?!\w|\.[0-9]|[ ]?%)
  | (?P<junk>[0-9][\w.:,%]*)
  | (?P<word>[A-Za-z]+(?:'[a-z]+)?)
  | (?P<mark>-{{1,3}}>?|[^\s\w]|\n)
    """,
    re.VERBOSE | re.ASCII | re.IGNORECASE,
)
_CLOCK = re.compile(r"([0-9]{1,3}(?::[0-9]{2}){1,2}(?:\.[0-9]+|,[0-9]{3})?) ?(s|h|hrs?|hours?)?", re.IGNORECASE)
_FILLER = word_set(
    "about around approximately roughly approx circa nearly almost exactly the mark point timestamp "
    "timestamps time times second seconds sec secs s t"
)
_CLOSES = {"]": "[", ")": "(", "}": "{", ">": "<"}
_INDEXED = word_set("event segment step scene clip part span option")
_NOT_AFTER = word_set("frame frames fps percent x")


@dataclass(frozen=True, slots=True)
class Token:
    """One token."""

    kind: Literal["time", "word", "mark"]
    text: str
    start: int
    end: int
    value: float = 0.0
    """Of a time: what the digits say."""
    scale_s: float = 0.0  # 0 for a bare number
    """Of a time: the seconds of its unit."""
    is_clock: bool = False
    is_malformed: bool = False  # it looks like a time, but has no one reading

    @property
    def time_s(self) -> float:
        """Return the time in seconds; a bare number counts seconds."""
        return self.value * (self.scale_s or 1.0)

    @property
    def is_sure(self) -> bool:
        """Return True if the text itself says that this is a time (a unit or a clock)."""
        return self.scale_s > 0

    @property
    def is_index(self) -> bool:
        """Return True for a bare whole number, which may as well count something."""
        return self.kind == "time" and not self.is_sure and "." not in self.text


def tokenize(text: str) -> list[Token]:
    """Return the tokens of a tidied text, without filler: quotes, "about", "the ... mark", brackets around one time."""
    return _without_filler(_raw_tokens(text))


def _raw_tokens(text: str) -> list[Token]:
    """Return every token of the text, in order."""
    tokens: list[Token] = []
    depth, is_quoted = 0, False
    for match in _TOKEN.finditer(text):
        kind, said = match.lastgroup, match[0].lower()
        if kind == "mark":
            depth += (said == "[") - (said == "]")
            is_quoted ^= said == "'"
            tokens.append(Token("mark", said, match.start(), match.end()))
        elif kind in ("word", "junk"):
            tokens.append(Token("word", said, match.start(), match.end()))
        elif kind == "clock":
            tokens.append(_checked(_clock(match)))
        elif kind in ("compound", "primes"):
            tokens.append(_checked(_compound(match)))
        elif kind == "minutes" and is_quoted:  # the number ends a quotation
            tokens += [*_numbers(said[:-1], "", match.start(), text, in_list=depth > 0), _mark(match)]
            is_quoted = False
        elif kind in ("minutes", "fraction") or (kind == "comma" and _is_decimal_comma(match, text, depth > 0)):
            tokens.append(_malformed(match))
        else:
            digits = match["number"] or re.match(r"[0-9,]+", match[0])[0]  # type: ignore[index]
            tokens += _numbers(digits, said[len(digits) :], match.start(), text, in_list=depth > 0)
    return tokens


def _mark(match: re.Match[str]) -> Token:
    """Return the last character of a match as a mark."""
    return Token("mark", match[0][-1], match.end() - 1, match.end())


def _malformed(match: re.Match[str]) -> Token:
    """Return a time that has no one reading."""
    return Token("time", match[0].lower(), match.start(), match.end(), 0.0, 1.0, is_malformed=True)


def _clock(match: re.Match[str]) -> Token:
    """Return a clock in seconds; malformed where a field after the first has not two digits, or there are four.

    Two fields before "h" are hours and minutes.
    """
    found = _CLOCK.fullmatch(match[0])
    if found is None:
        return _malformed(match)
    fields = [float(field) for field in found[1].replace(",", ".").split(":")]
    value = sum(field * 60**power for power, field in enumerate(reversed(fields)))
    is_hours = len(fields) == 2 and (found[2] or "s")[0] in "hH"
    value *= 60 if is_hours else 1
    return Token("time", match[0].lower(), match.start(), match.end(), value, 1.0, is_clock=True)


def _compound(match: re.Match[str]) -> Token:
    """Return a time such as "1 min 20 s" or ``1'20"`` in seconds."""
    said = match[0].lower()
    if match.lastgroup == "primes":
        minutes, seconds = re.findall(r"[0-9]+(?:\.[0-9]+)?", said)
        value = float(minutes) * 60 + float(seconds)
    else:
        parts = re.findall(r"([0-9]+(?:\.[0-9]+)?) ?([hms])", said)
        if last := re.search(r"[a-z] ?([0-9]{1,2})$", said):  # "1 min 20": the number counts the next smaller unit
            parts.append((last[1], "m" if parts[-1][1] == "h" else "s"))
        value = sum(float(number) * _SCALES_S[unit] for number, unit in parts)
    return Token("time", said, match.start(), match.end(), value, 1.0)


def _is_decimal_comma(match: re.Match[str], text: str, in_list: bool) -> bool:
    """Return True for ``5,2`` where its comma may stand for a point: not in a list, not alone, not between ranges."""
    if match[0] == text:
        return not match[0][-1].isdigit()  # "5,9" says two numbers, "5,9 s" may say one
    before, after = text[max(0, match.start() - 8) : match.start()], text[match.end() : match.end() + 8]
    is_whole_list = before[-1:] in ("[", "(", "<", "{") and after[:1] in ("]", ")", ">", "}")
    is_item = in_list and match[0][-1].isdigit()
    parts_ranges = re.search(r"(?:[-~]|\bto|\buntil) ?$", before) and re.match(r" ?(?:[-~]|to\b|until\b)", after)
    return not (is_whole_list or is_item or (parts_ranges and match[0][-1].isdigit()))


def _numbers(digits: str, unit: str, start: int, text: str, *, in_list: bool) -> list[Token]:
    """Return a number with its unit; a comma groups thousands unless it stands where commas part list items."""
    unit_end = start + len(digits) + len(unit)
    unit = unit.strip(" -")
    before = text[max(0, start - 2) : start].rstrip(" ")[-1:] or "\n"
    after = text[unit_end : unit_end + 2].lstrip(" ")[:1] or "\n"
    between_ranges = before == "-" and after == "-"
    is_list = in_list or before in "([<,{" or after in ")]>,}" or between_ranges
    if "," in digits and (is_list or not re.fullmatch(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?", digits)):
        pieces = [(found[0], start + found.start()) for found in re.finditer(r"[^,]+", digits)]
    else:
        pieces = [(digits, start)]
    scale = 0.001 if unit == "ms" else _SCALES_S.get(unit[:1], 0.0)
    tokens: list[Token] = []
    for i, (piece, at) in enumerate(pieces):
        if i:
            tokens.append(Token("mark", ",", at - 1, at))
        value = float(piece.replace(",", ""))
        is_last = i + 1 == len(pieces)
        end = unit_end if is_last else at + len(piece)
        tokens.append(_checked(Token("time", piece, at, end, value, scale if is_last else 0.0)))
    return tokens


def _checked(token: Token) -> Token:
    """Return the token, as a mere word if no span can hold its number, even as hours."""
    return token if token.value <= MAX_TIME_S / 3600 else Token("word", "#", token.start, token.end)


def _without_filler(raw: list[Token]) -> list[Token]:
    """Drop filler, unwrap ``[5]``, ``{5}``, ``<5 s>``; turn negative times and indices into words."""
    kept: list[Token] = []
    for i, token in enumerate(raw):
        is_filler = token.text in _FILLER and not _names_place(raw, i)
        if is_filler or token.text in ("'", '"'):
            continue
        if token.kind == "time" and _is_no_time(raw, i, kept):
            token = replace(token, kind="word", text="negative" if _is_negative(raw, i) else "#")
            if token.text == "negative":
                kept.pop()
        opening = _CLOSES.get(token.text)
        if opening and len(kept) > 1 and kept[-1].kind == "time" and kept[-2].text == opening:
            inner = kept.pop()
            kept[-1] = replace(inner, start=kept[-1].start, end=token.end)
            continue
        kept.append(token)
    return kept


def _names_place(raw: list[Token], i: int) -> bool:
    """Return True for the "point" of ``"point": [120, 340]``, which is one in the picture."""
    following = [token.text for token in raw[i + 1 : i + 4] if token.text not in ("'", '"', ":")]
    return raw[i].text == "point" and following[:1] in (["["], ["("])


def _is_no_time(raw: list[Token], i: int, kept: list[Token]) -> bool:
    """Return True for a negative time, a frame number ("frame 12", "12 frames") or an index ("Segment 1:")."""
    if _is_negative(raw, i):
        return True
    if not raw[i].is_index:
        return False
    following = raw[i + 1].text if i + 1 < len(raw) else ""
    previous = kept[-1].text if kept else ""
    in_frames = previous in ("frame", "frames") or following in _NOT_AFTER
    return in_frames or (previous in _INDEXED and following in (":", ".", ")", "is"))


def _is_negative(raw: list[Token], i: int) -> bool:
    """Return True if a minus sign is glued to the time: ``[-1, 5]``, ``to -5``; a line opens with a bullet."""
    if i < 2 or raw[i - 1].text != "-" or raw[i - 1].end != raw[i].start:
        return False
    before = raw[i - 2]
    glued = before.end == raw[i - 1].start and before.text not in "[({<,:="
    return not (glued or before.kind == "time" or before.text in _CLOSES or before.text in "\n'\"")
