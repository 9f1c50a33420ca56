"""Yes and no: the part of the answer grammar for questions that have no options (``docs/answers.md``)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from timeground.grammar.denials import is_refusal
from timeground.grammar.reply import final_text, word_set

_YES = word_set("yes yeah yep yup yea true correct right accurate affirmative")
_NO = word_set("no nope nah false incorrect wrong untrue inaccurate negative")
_SAYING = word_set("yes yeah yep no nope true false")
"""The words that say yes or no wherever they stand; "right" or "negative" may describe what is seen."""
_STRESS = word_set("indeed certainly definitely absolutely surely obviously course")
_NOT = word_set("not never n't neither nor cannot hardly")
_ADVERBS = word_set(
    "at all really quite entirely completely exactly necessarily fully actually strictly be say a the of probably "
    "likely clearly also in fact to"
)
_HEDGE = re.compile(r"(?:neither )?(?:yes|no|true|false)(?: ?/ ?| or | and | nor )(?:yes|no|true|false)\b")
_NEITHER = re.compile(r"\bneither (?:yes|true|correct|right)\b.{0,40}\bnor (?:no|false|incorrect|wrong)\b")
_THINK_SO = re.compile(r"\b(?:(?P<no>(?:don't|do not) )?(?:think|believe)) so\b")
_ASIDE = re.compile(
    r"\bno (?:doubt|question|problem|wonder|matter)\b|\b(?:of|whether|if) (?:yes|no|true) or (?:yes|no|false)\b"
)
_ANSWER = re.compile(r"\banswer(?: is| would be| should be|'s|:)[:,]?(?P<said>(?: ?[\"'(]?[a-z']+){1,4})")
_SUBJECT = re.compile(
    r"\b(?:it|that|this|which|statement|claim|description|sentence|assertion|caption|proposition|you|they)\b"
)
_JUDGED = re.compile(
    r"(?:'s| is|\bis| was| are| seems| appears| would be| sounds)(?P<said>(?:n't)?(?: (?:to be|[a-z]+)){1,4})"
)
_CHINESE = (
    (re.compile(r"[^a-z]*(?:不正确|不对|错误|不是真|是错的|不属实)"), False),
    (re.compile(r"[^a-z]*(?:正确|是对的|是真的|属实)"), True),
    (re.compile(r"^(?:不是|不对|不正确|不会|没有|否|错|错误|假|不)"), False),
    (re.compile(r"^(?:是的?|对的?|正确|会|有|真|确实)(?![非否])"), True),
)


@dataclass(frozen=True, slots=True)
class ParsedYesNo:
    """Return True for yes, False for no, None for neither; the rule that found it, or why not."""

    value: bool | None = None
    rule: str = "none"
    failure: str | None = None

    @property
    def parsed(self) -> bool:
        """Return True if the reply says yes or no."""
        return self.value is not None


def parse_yes_no(text: str) -> ParsedYesNo:
    """Read yes or no: the first word, "the answer is ...", "it is true", else the only one said. Never raises.

    A negation turns what follows it: "The statement is not true" is no, "It is not false" is yes.
    """
    answer = _ASIDE.sub(" ", final_text(text)[0].lower())
    if is_refusal(answer) and not re.match(r"\W*yes\b", answer):
        return ParsedYesNo(failure="the model says that it cannot see the video")
    if _HEDGE.match(answer.strip("\"'( ")) or _NEITHER.search(answer):
        return ParsedYesNo(failure="both yes and no are said")
    opening = _verdict(_words(answer)[:4], opens=True)
    if opening is None:
        opening = next((value for word, value in _CHINESE if word.match(answer)), None)
    if opening is not None:
        return ParsedYesNo(opening, "first word")
    for rule, verdicts in (("phrase", _answers(answer)), ("judgement", _judgements(answer))):
        if verdicts:
            return ParsedYesNo(verdicts[-1], rule)
    return _only_one(answer)


def _answers(answer: str) -> list[bool]:
    """Return what "the answer is ..." says, each time."""
    found = [_verdict(_words(match["said"])) for match in _ANSWER.finditer(answer)]
    return [value for value in found if value is not None]


def _judgements(answer: str) -> list[bool]:
    """Return what sentences about the statement say of it ("it is true"), and "I think so"."""
    found: list[bool] = []
    for sentence in re.split(r"[.!?\n]", answer):
        subject = _SUBJECT.search(sentence)
        said = _JUDGED.finditer(sentence, subject.end()) if subject else ()
        values = [_verdict(_words(match["said"])) for match in said]
        thought = _THINK_SO.search(sentence)
        values += [thought["no"] is None] if thought else []
        found += [value for value in values if value is not None]
    return found


def _words(text: str) -> list[str]:
    """Return lower-case words; "isn't" is "is" and "n't"."""
    return re.findall(r"n't|[a-z]+?(?=n't)|[a-z]+", text)


def _verdict(words: list[str], *, opens: bool = False) -> bool | None:
    """Return what the first words say, with negations before them; None if something else comes first.

    opens: at the opening of an answer a bare "not" ("Not really", "Probably not") is no, and "absolutely" alone yes.
    """
    turned = stressed = False
    for word in words:
        if word in _NOT:
            turned = not turned
        elif word in _YES or word in _NO:
            return (word in _YES) != turned
        elif word in _STRESS:
            stressed = True
        elif word not in _ADVERBS:
            break
    if opens and turned and words[0] in {"not", *_STRESS, *_ADVERBS}:
        return False
    return True if opens and stressed and all(word in _STRESS or word in _ADVERBS for word in words) else None


def _only_one(answer: str) -> ParsedYesNo:
    """Return the only one of yes and no that is said anywhere."""
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
