"""Option letters: the part of the answer grammar for multiple choice (``docs/answers.md``).

Three things can be said of a letter. It is declared ("the answer is B", "B is correct", a line that is "B"), it is
rejected ("option C is wrong", "not C", "rather than C"), or it is merely mentioned. A declaration beats a mention, a
rejected letter is never the answer, and letters that are joined ("B or C", "A, C") are a hedge, which is no answer.

The policy for "A": an undecorated capital A (or I) that a word follows is an article or a pronoun, never a
letter. "A man opens the door" is therefore not option A, unless that is the text of option A.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from timeground.grammar.option_words import (
    CONFIRMED,
    DECLARES,
    JOINS,
    MENTION,
    NAMES,
    REJECTED,
    REJECTS,
    VERDICT,
    WORD_AFTER,
)
from timeground.grammar.reply import final_text

_DEFAULT_OPTIONS = 8  # letters A to H when the options are not given
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MARKS = " .,:;!()[]{}<>\"'$"
_CONTEXT = 100  # characters on each side of a letter that can say something of it
_DENIED_TEXT = r" (?:not|never|[a-z]{2,6}n't|rather than|instead of|unlike)"
_NEGATION = re.compile(r"\b(?:not?|nor|never|neither|without|cannot)\b|n't\b")
_SENTENCE_END = re.compile(r"[.!?](?=\s)|\n")


@dataclass(frozen=True, slots=True)
class ParsedOption:
    """An option letter and how it was found, or why there is none."""

    letter: str | None = None
    """Upper case, or None."""
    rule: str = "none"
    """The rule that found it; "none" if none did."""
    failure: str | None = None
    """Why there is none."""

    @property
    def parsed(self) -> bool:
        """Return True if a letter was found."""
        return self.letter is not None


@dataclass(slots=True)
class _Group:
    """Letters said together: "B", "A, C", "(B) or (C)"."""

    letters: list[str]
    start: int
    """The first character in the answer."""
    end: int
    """The end of its characters."""
    is_marked: bool  # in brackets, or with a mark behind it
    is_line: bool = False  # it is all that its line says
    is_declared: bool = False
    is_named: bool = False  # "option B"
    is_rejected: bool = False


def parse_option(text: str, options: str | Sequence[str] | None = None) -> ParsedOption:
    """Read which option a reply names. Never raises.

    options: the texts in order, with or without their letters ("B. a dog"). They bound the letters and let a
    reply name an option by its text.
    """
    answer, _ = final_text(text)
    options = [options] if isinstance(options, str) else options
    if not answer:
        return ParsedOption(failure="nothing is left after thinking and tags are taken off")
    letters = _ALPHABET[: _DEFAULT_OPTIONS if options is None else min(26, len(options))]
    texts = [_plain(_without_letter(option)) for option in options or ()][:26]
    rule, found = _read(answer, texts, letters)
    if len(found) == 1:
        return ParsedOption(found[0], rule)
    if found:
        return ParsedOption(failure=f"several options are named: {', '.join(found)}")
    return ParsedOption(failure=f"no single option letter from A to {letters[-1:] or '-'} in the answer")


def _read(answer: str, texts: list[str], letters: str) -> tuple[str, list[str]]:
    """Return the first rule that says something, and the letters that it names; several letters are no answer."""
    bare = answer.strip(_MARKS).upper()
    if len(bare) == 1 and bare in letters:
        return "letter alone", [bare]
    same = _distinct(letters[i] for i, text in enumerate(texts) if text and text == _plain(answer))
    if len(same) == 1:
        return "option text", same
    groups = list(_groups(answer, texts, letters))
    live = [group for group in groups if not group.is_rejected]
    denied = {letter for group in groups if group.is_rejected for letter in group.letters}
    rules = (
        _declared(live),
        ("leading letter", _leading(answer, groups, texts, letters)),
        ("phrase", _distinct(letter for group in live if group.is_named for letter in group.letters)),
        ("option text inside", _named_first(answer, texts, letters)),
        ("option text inside", [x for x in _named_texts(answer, texts, letters) if x not in denied]),
        ("marked letter", _distinct(letter for group in live if group.is_marked for letter in group.letters)),
        ("lone letter", _distinct(letter for group in live for letter in group.letters)),
    )
    certain = next(((rule, found) for rule, found in rules[:2] if found), None)
    if certain is not None:
        return certain
    return next(((rule, found) for rule, found in rules[2:] if len(found) == 1), ("none", rules[-1][1]))


def _groups(answer: str, texts: list[str], letters: str) -> Iterator[_Group]:
    """Yield the letters of an answer in order, with what is said of them."""
    group: _Group | None = None
    for match in MENTION.finditer(answer):
        is_joined = group is not None and JOINS.fullmatch(answer[group.end : match.start()]) is not None
        if not _is_letter(match, answer, letters, is_joined=is_joined):
            continue
        letter, is_marked = match["letter"].upper(), bool(match["open"] or match["close"])
        if group is not None and is_joined:
            group.letters += [] if letter in group.letters else [letter]
            group.end, group.is_marked = match.end(), group.is_marked or is_marked
            continue
        if group is not None:
            yield _judged(group, answer, texts, letters)
        group = _Group([letter], match.start(), match.end(), is_marked)
    if group is not None:
        yield _judged(group, answer, texts, letters)


def _is_letter(match: re.Match[str], answer: str, letters: str, *, is_joined: bool) -> bool:
    """Return False for articles and pronouns, letters beyond the options, and small letters that nothing marks."""
    letter = match["letter"]
    if letter.upper() not in letters:
        return False
    if letter in "AIai" and not (match["open"] or match["close"]) and WORD_AFTER.match(answer, match.end()):
        return False
    if letter.isupper() or is_joined or (match["open"] and match["close"]):
        return True
    opens = match["close"] and match.start() < _CONTEXT and answer[: match.start()].strip(_MARKS) == ""
    left = _left(answer, match.start())
    return bool(opens or NAMES.search(left) or DECLARES.search(left))


def _judged(group: _Group, answer: str, texts: list[str], letters: str) -> _Group:
    """Return the group with what the words around it say of it."""
    left, right = _left(answer, group.start), answer[group.end : group.end + _CONTEXT]
    before = answer[max(0, group.start - _CONTEXT) : group.start].rpartition("\n")[2]
    group.is_line = before.strip(_MARKS) == "" and right.partition("\n")[0].strip(_MARKS) == ""
    ends = answer[group.end - 1] in ".:" or _says_own_text(group, answer, texts, letters)
    group.is_rejected = bool(REJECTS.search(left) or (not ends and REJECTED.match(right)))
    group.is_declared = bool(DECLARES.search(left) or (not ends and CONFIRMED.match(right))) or group.is_line
    if texts and ends and (verdict := VERDICT.match(right)) and not _says_own_text(group, answer, texts, letters):
        group.is_rejected, group.is_declared = verdict["no"] is not None, verdict["no"] is None  # "A: wrong"
    group.is_named = bool(NAMES.search(left))
    return group


def _left(answer: str, start: int) -> str:
    """Return what the sentence says before a place in it, at most ``_CONTEXT`` characters."""
    left = answer[max(0, start - _CONTEXT) : start]
    ends = list(_SENTENCE_END.finditer(left))
    return left[ends[-1].end() :] if ends else left


def _declared(live: list[_Group]) -> tuple[str, list[str]]:
    """Return the letters of the last declaration; lines of one letter each that differ name several."""
    declared = [group for group in live if group.is_declared]
    if not declared:
        return "phrase", []
    if not declared[-1].is_line:
        return "phrase", declared[-1].letters
    return "letter alone", _distinct(letter for group in declared if group.is_line for letter in group.letters)


def _leading(answer: str, groups: list[_Group], texts: list[str], letters: str) -> list[str]:
    """Return the letter that the answer opens with ("B. ...", "(B) ...", "B moving left"), and those listed after."""
    first = groups[0] if groups else None
    if first is None or first.is_rejected or answer[: first.start].strip() != "":
        return []
    if (
        not first.is_marked
        and len(first.letters) == 1
        and not re.match(r" [^\s<>=]", answer[first.end : first.end + 2])
    ):
        return []
    listed = [g for g in groups[1:] if not g.is_rejected and g.is_marked and _is_item(g, answer, texts, letters)]
    return _distinct([*first.letters, *(letter for group in listed for letter in group.letters)])


def _is_item(group: _Group, answer: str, texts: list[str], letters: str) -> bool:
    """Return True for a letter of a list of options: at the start of a line, or before that option's own text."""
    if answer[max(0, group.start - _CONTEXT) : group.start].rstrip(" -*")[-1:] == "\n":
        return True
    if not texts:
        return re.match(r" \w", answer[group.end : group.end + 2]) is not None
    return _says_own_text(group, answer, texts, letters)


def _says_own_text(group: _Group, answer: str, texts: list[str], letters: str) -> bool:
    """Return True if the text of the option stands behind its letter."""
    text = texts[letters.index(group.letters[-1])] if texts else ""
    return text != "" and _plain(answer[group.end : group.end + 2 * len(text) + 20]).startswith(text)


def _named_first(answer: str, texts: list[str], letters: str) -> list[str]:
    """Return the letters whose text the first sentence holds: what follows explains it, with other options at times."""
    sentence = _SENTENCE_END.split(answer, maxsplit=1)[0]
    return [] if _NEGATION.search(sentence.lower()) else _named_texts(sentence, texts, letters)


def _named_texts(answer: str, texts: list[str], letters: str) -> list[str]:
    """Return the letters of options whose text the answer holds; the longest, if it holds the others; not "not ..."."""
    said = f" {_plain(answer)} "
    held = [
        (text, letter)
        for text, letter in zip(texts, letters, strict=False)
        if text and said.count(f" {text} ") > len(re.findall(rf"{_DENIED_TEXT} {re.escape(text)} ", said))
    ]
    longest = max((text for text, _ in held), key=len, default="")
    return _distinct(letter for text, letter in held if text == longest or f" {text} " not in f" {longest} ")


def _distinct(found: Iterable[str]) -> list[str]:
    """Return the values without repeats, in order."""
    return list(dict.fromkeys(found))


def _without_letter(option: str) -> str:
    """Return an option's text without the letter in front of it."""
    return re.sub(r"^\s*(?:\([A-Z]\)|[A-Z][.):])\s+", "", option)


def _plain(text: str) -> str:
    """Return lower-case words and numbers, single blanks between."""
    return " ".join(re.findall(r"[^\W_]+(?:[.'][^\W_]+)*", text.lower()))
