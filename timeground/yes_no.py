"""Yes and no: the part of the answer grammar for questions that have no options (``docs/answers.md``)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .denials import is_refusal
from .reply import final_text, word_set

_YES = word_set("yes yeah yep yup yea true correct right accurate affirmative indeed certainly definitely absolutely")
_NO = word_set("no nope nah false incorrect wrong untrue inaccurate negative")
_SAYING = word_set("yes yeah yep no nope true false")
"""The words that say yes or no wherever they stand; "right" or "negative" may describe what is seen."""
_NOT = word_set("not never n't neither nor cannot hardly")
_ADVERBS = word_set("at all really quite entirely completely exactly necessarily fully actually strictly be say a the")
_HEDGE = re.compile(r"(?:neither )?(?:yes|no|true|false)(?: ?/ ?| or | and | nor )(?:yes|no|true|false)\b")
_ASIDE = re.compile(
    r"\bno (?:doubt|question|problem|wonder|matter)\b|\b(?:of|whether|if) (?:yes|no|true) or (?:yes|no|false)\b"
)
_ANSWER = re.compile(r"\banswer(?: is| would be| should be|'s|:)[:,]?(?P<said>(?: ?[\"'(]?[a-z']+){1,4})")
_JUDGED = re.compile(
    r"\b(?:it|that|this|which|statement|claim|description|sentence|assertion|caption|proposition|you|they)"
    r"(?:'s| is| was| are| seems| appears| would be| sounds)(?P<said>(?:n't)?(?: (?:to be|[a-z]+)){1,4})"
)
_CHINESE = (
    (re.compile(r"^(?:不是|不对|不正确|不会|没有|否|错|错误|假|不)"), False),
    (re.compile(r"^(?:是的?|对的?|正确|会|有|真|确实)(?![非否])"), True),
)


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


def parse_yes_no(text: str) -> ParsedYesNo:
    """Read yes or no: the first word, "the answer is ...", "it is true", else the only one said. Never raises.

    A negation turns what follows it: "The statement is not true" is no, "It is not false" is yes.
    """
    answer = _ASIDE.sub(" ", final_text(text)[0].lower())
    if is_refusal(answer) and not re.match(r"\W*yes\b", answer):
        return ParsedYesNo(failure="the model says that it cannot see the video")
    if _HEDGE.match(answer.strip("\"'( ")):
        return ParsedYesNo(failure="both yes and no are said")
    opening = _verdict(_words(answer)[:4], opens=True)
    if opening is None:
        opening = next((value for word, value in _CHINESE if word.match(answer)), None)
    if opening is not None:
        return ParsedYesNo(opening, "first word")
    for rule, pattern in (("phrase", _ANSWER), ("judgement", _JUDGED)):
        said = [_verdict(_words(match["said"])) for match in pattern.finditer(answer)]
        values = [value for value in said if value is not None]
        if values:
            return ParsedYesNo(values[-1], rule)
    return _only_one(answer)


def _words(text: str) -> list[str]:
    """Lower-case words; "isn't" is "is" and "n't"."""
    return re.findall(r"n't|[a-z]+?(?=n't)|[a-z]+", text)


def _verdict(words: list[str], *, opens: bool = False) -> bool | None:
    """What the first words say, with negations before them; None if something else comes first.

    opens: a bare "not" at the opening of an answer ("Not really") is no.
    """
    turned = False
    for word in words:
        if word in _NOT:
            turned = not turned
        elif word in _YES or word in _NO:
            return (word in _YES) != turned
        elif word not in _ADVERBS:
            break
    return False if opens and turned and words[0] == "not" else None


def _only_one(answer: str) -> ParsedYesNo:
    """The only one of yes and no that is said anywhere."""
    words = _words(answer)
    said = set()
    for i, word in enumerate(words):
        if word in _SAYING:
            turned = word in ("true", "false", "yes") and any(before in _NOT for before in words[max(0, i - 2) : i])
            said.add((word in _YES) != turned)
    if len(said) == 1:
        return ParsedYesNo(said.pop(), "only one said")
    last = _verdict(_words(re.split(r"[.!?\n]\s*", answer.strip(" .!?\"'"))[-1]))
    if said and last is not None:
        return ParsedYesNo(last, "last sentence")
    return ParsedYesNo(failure="both yes and no are said" if said else "neither yes nor no is said")
