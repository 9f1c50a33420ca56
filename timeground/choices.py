"""Option letters and yes/no: the part of the answer grammar for questions (``docs/answers.md``).

The policy for "A": an undecorated capital A (or I) that a word follows is an article or a pronoun, never a
letter. "A man opens the door" is therefore not option A, unless that is the text of option A.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .reply import final_text, word_set

_DEFAULT_OPTIONS = 8  # letters A to H when the options are not given
_REASON = r"(?:because|since|as|for|which|so)\b"
_PHRASE = re.compile(
    r"\b(?:answers?|options?|choices?|choose|select|pick)\b"
    r"(?: (?:is|are|was|be|would|should|must|the|most|likely|correct|best|right|final|option|choice|answer|"
    r"letter)){0,6} ?[:=-]? ?(?:(?:option|choice|the) )?"
    r"(?P<letter>[(\[\"'{]? ?[A-Za-z])(?=(?P<after>[^\w].{0,12}|$))",
    re.IGNORECASE,
)
_DECORATED = re.compile(r"[(\[]([A-Z])[)\]]|(?<![\w'(\[])([A-Z])(?:[.):]|,(?! [a-z]+ and))(?![\w.])")
_LONE = re.compile(r"(?<![\w'.-])([A-Z])(?![\w'-]|\.\w)")
_LEADING = re.compile(r"(?:[(\[]([A-Za-z])[)\]]|([A-Za-z])[.):](?!\w\.))|([B-HJ-Z]) (?=\S)")
_YES = word_set("yes yeah yep true correct")
_NO = word_set("no nope not false incorrect")


@dataclass(frozen=True, slots=True)
class ParsedOption:
    """An option letter (upper case) or None, the rule that found it ("none" if none did), or why not."""

    letter: str | None = None
    rule: str = "none"
    failure: str | None = None

    @property
    def parsed(self) -> bool:
        """True if a letter was found."""
        return self.letter is not None


@dataclass(frozen=True, slots=True)
class ParsedYesNo:
    """True for yes, False for no, None for neither; the rule that found it, or why not."""

    value: bool | None = None
    rule: str = "none"
    failure: str | None = None

    @property
    def parsed(self) -> bool:
        """True if the reply says yes or no."""
        return self.value is not None


def parse_option(text: str, options: Sequence[str] | None = None) -> ParsedOption:
    """Read which option a reply names. Never raises.

    options: the texts in order, with or without their letters ("B. a dog"). They bound the letters and let a
    reply name an option by its text.
    """
    answer, _ = final_text(text)
    if not answer:
        return ParsedOption(failure="nothing is left after thinking and tags are taken off")
    num_options = _DEFAULT_OPTIONS if options is None else min(26, len(options))
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:num_options]
    texts = [_plain(_without_letter(option)) for option in options or ()]
    found = (
        ("letter alone", _alone(answer)),
        ("option text", _only(letters[i] for i, t in enumerate(texts[:26]) if t and t == _plain(answer))),
        ("phrase", _phrase(answer)),
        ("leading letter", _leading(answer)),
        ("option text inside", _named_text(answer, texts, letters)),
        ("marked letter", _only((a or b) for a, b in _DECORATED.findall(answer))),
        ("lone letter", _only(_lone(answer))),
    )
    for rule, letter in found:
        if letter and letter in letters:
            return ParsedOption(letter, rule)
    return ParsedOption(failure=f"no single option letter from A to {letters[-1:] or '-'} in the answer")


def _alone(answer: str) -> str:
    """The letter if the whole answer, or its last line, is one letter with or without marks."""
    for part in (answer, answer.rsplit("\n", 1)[-1]):
        bare = part.strip(" .,:;!()[]{}<>\"'$")
        if len(bare) == 1 and bare.isascii() and bare.isalpha():
            return bare.upper()
    return ""


def _phrase(answer: str) -> str:
    """The letter of the last "the answer is B", "best option: (C", "option d)"."""
    letter = ""
    for match in _PHRASE.finditer(answer):
        said, after = match["letter"], match["after"]
        marked = re.match(r"$|[)\],:;\"}!\n]|[.'](?!\w)", after) is not None
        explained = re.match(rf" (?:{_REASON}|[(:-])", after) is not None
        if marked or explained or (said[-1] in "BCDEFGH" and after[:1] == " "):
            letter = said[-1].upper()
    return letter


def _leading(answer: str) -> str:
    """The letter that the answer opens with: "B. ...", "(B) ...", "B) ...", "B moving left"; not "A man"."""
    match = _LEADING.match(answer)
    return (match[1] or match[2] or match[3]).upper() if match else ""


def _named_text(answer: str, texts: list[str], letters: str) -> str:
    """The letter of the one option whose text the answer holds; the longest, if it holds the others."""
    said = f" {_plain(answer)} "
    held = [(text, letter) for text, letter in zip(texts, letters, strict=False) if text and f" {text} " in said]
    longest = max((text for text, _ in held), key=len, default="")
    return _only(letter for text, letter in held if text == longest or f" {text} " not in f" {longest} ")


def _lone(answer: str) -> list[str]:
    """Capitals that stand alone; A and I only where no word follows."""
    found = []
    for match in _LONE.finditer(answer):
        is_word = match[1] in "AI" and re.match(r" \w", answer[match.end() : match.end() + 2]) is not None
        found += [] if is_word else [match[1]]
    return found


def _only(found: Iterable[str]) -> str:
    """The one value, however often it is said; "" if there is none or there are several."""
    values = set(found)
    return values.pop() if len(values) == 1 else ""


def _without_letter(option: str) -> str:
    """An option's text without the letter in front of it."""
    return re.sub(r"^\s*(?:\([A-Z]\)|[A-Z][.):])\s+", "", option)


def _plain(text: str) -> str:
    """Lower-case words and numbers, single blanks between."""
    return " ".join(re.findall(r"[^\W_]+(?:[.'][^\W_]+)*", text.lower()))


def parse_yes_no(text: str) -> ParsedYesNo:
    """Read yes or no: the first word, else "the answer is ...", else the only one said. Never raises."""
    answer, _ = final_text(text)
    words = re.findall(r"[a-z]+", answer.lower())
    if words[:1] and (words[0] in _YES or words[0] in _NO):
        return ParsedYesNo(words[0] in _YES, "first word")
    phrases = re.findall(r"\banswer(?: is|:| would be)? ?:? ?[\"'(]?([a-z]+)", answer.lower())
    said = [word for word in phrases if word in _YES | _NO]
    if said:
        return ParsedYesNo(said[-1] in _YES, "phrase")
    anywhere = {word in _YES for word in words if word in ("yes", "no", "true", "false")}
    if len(anywhere) == 1:
        return ParsedYesNo(anywhere.pop(), "only one said")
    return ParsedYesNo(failure="both yes and no are said" if anywhere else "neither yes nor no is said")
