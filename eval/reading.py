"""What a prediction is, and what it says by timeground's one grammar (``docs/answers.md``).

The strict protocol reads everything this way, and so do official evaluators of benchmarks that have no parser of
their own. A reply counts before spans that a file gives beside it, because other tools put made-up spans where they
could not read a reply.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from timeground.chat.prompts import LETTERS
from timeground.data.rows import Row
from timeground.grammar.answers import ParsedSpans, parse_option, parse_spans, parse_yes_no
from timeground.scoring import ParsedAnswer
from timeground.spans import Span, shifted

from .matching import Pair

MISSING = "no prediction"


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was said about one row; what a file does not hold is None."""

    text: str | None = None
    """The reply."""
    spans: tuple[Pair, ...] | None = None
    """(start, end) seconds as said, in the order said, possibly reversed; empty says that it does not happen."""
    scores: tuple[float, ...] | None = None
    """The confidence of each span."""
    saliency: tuple[float, ...] | None = None
    """A score for each 2-second clip."""
    answer: str | int | None = None
    """Option letter, number of the option from 0, the option's text, or yes/no."""
    origin_s: float | None = None
    """The second of the file that the reply calls 0."""
    said: ParsedAnswer | None = None
    """What a method answers, read already; it counts before all else."""
    confidence: float | None = None
    """How sure the method is, from 0 to 1."""
    trace: dict[str, Any] | None = None
    """Where the method looked."""

    def merged(self, other: Prediction) -> Prediction:
        """Return this prediction with what the other adds or replaces."""
        given = {name: value for name in self.__slots__ if (value := getattr(other, name)) is not None}
        return replace(self, **given)


def read_spans(prediction: Prediction | None, query: str | None = None) -> ParsedSpans:
    """Return the spans of a prediction, or why there are none (``failure``). Reversed spans stay reversed.

    query: what was looked for; where a reply repeats it, its words are not read as a denial.
    """
    if prediction is None:
        return ParsedSpans(failure=MISSING)
    if prediction.said is not None:
        said = prediction.said
        failure = None if said.spans or said.absent else said.failure or "no time in the answer"
        return ParsedSpans(said.spans, rule=said.rule, absent=said.absent, failure=failure)
    if prediction.text is not None:
        parsed = parse_spans(prediction.text, query=query)
        return replace(parsed, spans=tuple(shifted(parsed.spans, prediction.origin_s or 0.0)))
    if prediction.spans is None:
        return ParsedSpans(failure="the prediction holds no spans")
    try:
        spans = tuple(Span(start_s, end_s) for start_s, end_s in prediction.spans)
    except ValueError as error:
        return ParsedSpans(failure=str(error))
    return ParsedSpans(spans, rule="given", absent=not spans)


def read_letter(prediction: Prediction | None, row: Row) -> str | None:
    """Return the letter of the option that a prediction names, or None."""
    if prediction is None:
        return None
    if prediction.said is not None:
        return prediction.said.option
    said = prediction.answer
    if isinstance(said, int) and not isinstance(said, bool):
        return LETTERS[said] if 0 <= said < len(row.options or LETTERS) else None
    text = prediction.text if said is None else str(said)
    return None if text is None else parse_option(text, row.options).letter


def read_yes_no(prediction: Prediction | None) -> bool | None:
    """Return True for yes, False for no, None for neither."""
    if prediction is None:
        return None
    if prediction.said is not None:
        return prediction.said.yes
    text = prediction.text if prediction.answer is None else str(prediction.answer)
    return None if text is None else parse_yes_no(text).value


def reply_text(prediction: Prediction) -> str:
    """Return the reply as written, for evaluators that match texts; an answer given apart stands for it."""
    return prediction.text if prediction.text is not None else str(prediction.answer or "")
