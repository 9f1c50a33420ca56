"""What an answer says of a row, and what it is worth: read in one place, scored by named protocols.

Rewards, validation, difficulty, pipeline, evaluation and demo all read and score here. Four cases are the same under
every protocol: an answer that cannot be read is worth 0; nothing happens and the answer says so: 1; only one of the
two says that nothing happens: 0. Protocols differ in which spans of an answer count, and in what becomes of a pair
whose end is said before its start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from timeground.chat.confidence import RIGHT_IOU, AnswerKind
from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.grammar.answers import ParsedSpans, parse_events, parse_option, parse_spans, parse_yes_no
from timeground.metrics.events import Words, event_f1
from timeground.spans import Span, iou, set_iou, shifted

Measure = Callable[[list[Span], list[Span]], float]


@dataclass(frozen=True)
class Protocol:
    """Which of the spans that are said count."""

    first_only: bool = False
    """Only the first one."""
    swaps: bool = False
    """The ends of a reversed pair are swapped; else it covers nothing."""
    spoils: bool = False
    """A pair without length (or reversed, unless it is swapped) spoils the whole answer."""


PROTOCOLS = {
    "strict": Protocol(),
    "timelens": Protocol(first_only=True, spoils=True),
    "timelens2": Protocol(swaps=True, spoils=True),
    "lenient": Protocol(swaps=True),
}
"""``strict`` is evaluation's and validation's. The two TimeLens are those papers' rewards: the first pair that is said,
or all of them, where one bad pair spoils the answer, so that junk beside a good span never pays. ``lenient`` is how
the pipeline reads annotators."""
STRICT, LENIENT = PROTOCOLS["strict"], PROTOCOLS["lenient"]


def protocol_of(name: str) -> Protocol:
    """Return the protocol of a name; a UserError lists those there are."""
    if name not in PROTOCOLS:
        raise UserError(f"unknown protocol {name!r}; there are: {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """What a text says, as far as the row asks for it."""

    text: str = ""
    spans: tuple[Span, ...] = ()
    """As said, in the order said; a reversed pair stays reversed."""
    absent: bool = False
    """It says that the event does not happen."""
    option: str | None = None
    """The letter of the option that it names."""
    yes: bool | None = None
    """Return True for yes, False for no."""
    events: tuple[tuple[str, Span], ...] = ()
    """What it lists, with the time of each."""
    rule: str = "none"
    """The rule of the grammar by which it was read."""
    failure: str | None = None
    """Why it cannot be read."""

    @property
    def parsed(self) -> bool:
        """Return whether it was understood."""
        return self.failure is None

    @property
    def kind(self) -> AnswerKind | None:
        """What its confidence speaks of; None where it cannot be read, or a judge is needed to tell if it is right."""
        if not self.parsed:
            return None
        if self.option is not None or self.yes is not None:
            return "choice" if self.option is not None else "yes_no"
        return "spans" if self.spans else "absent" if self.absent else None


def parse(text: str, row: Row, origin_s: float = 0.0) -> ParsedAnswer:
    """Read a text as an answer to a row, by what the row asks: spans, an option, yes or no, events, or any text.

    origin_s: the second of the file that the answer calls 0. Never raises; ``failure`` says why nothing was found.
    """
    if row.task == "choice":
        option = parse_option(text, row.options)
        when = parse_when(text, row.query, origin_s)  # some questions also ask when the video shows it
        return replace(when, option=option.letter, rule=option.rule, failure=option.failure)
    if row.task == "yes_no":
        said = parse_yes_no(text)
        return ParsedAnswer(text, yes=said.value, rule=said.rule, failure=said.failure)
    if row.task == "events":
        events = tuple((query, shifted([span], origin_s)[0]) for query, span in parse_events(text))
        absent = not events and parse_spans(text, query=row.query).absent
        failure = None if events or absent else "no event with a time"
        return ParsedAnswer(text, absent=absent, events=events, failure=failure)
    if row.task == "open":
        return ParsedAnswer(text, failure=None if text else "no text")
    return parse_when(text, row.query, origin_s)


def parse_when(text: str, query: str | None, origin_s: float = 0.0) -> ParsedAnswer:
    """Read a text as the time of something, whatever else it answers.

    query: what was looked for; where the answer repeats it, its words are not read as a denial.
    """
    when = parse_spans(text, query=query)
    spans = tuple(shifted(when.spans, origin_s))
    return ParsedAnswer(text, spans, when.absent, rule=when.rule, failure=when.failure)


def score(answer: ParsedAnswer, row: Row, protocol: Protocol = STRICT) -> float:
    """Return what an answer to a row is worth, in [0, 1].

    The IoU of the set of spans said with the true set where the row asks when, `events_f1` where it asks for a list of
    events; 1 or 0 for an option or yes and no, and 0 for what needs a judge.
    """
    if row.task == "ground":
        return whole_iou(answer, row.spans, protocol)
    if row.task == "events":
        return events_f1(answer, row, protocol=protocol)
    return float(is_right(answer, row))


def events_f1(
    answer: ParsedAnswer, row: Row, full_iou: float = 0.5, words: Words = "same", protocol: Protocol = STRICT
) -> float:
    """Return `event_f1` of the events that an answer lists with those of the row, after the four cases of this file."""
    true = [(event["query"], Span(*event["span"])) for event in row.meta["events"]]
    said = [(text, span.ordered() if protocol.swaps else span) for text, span in answer.events]
    if not answer.parsed or (protocol.spoils and any(span.length_s <= 0 for _, span in said)):
        return 0.0
    return event_f1(said, true, full_iou, words)


def is_right(answer: ParsedAnswer, row: Row) -> bool:
    """Return whether the option, or yes or no, is the right one; never where the row has no answer."""
    truth = (row.answer or "").strip()
    if row.task == "choice":
        right = truth if len(truth) == 1 else parse_option(truth, row.options).letter
        return answer.option is not None and answer.option == right
    return answer.yes is not None and row.task == "yes_no" and answer.yes == (truth.lower() == "yes")


def holds(answer: ParsedAnswer, row: Row) -> bool:
    """Return whether an answer is what its confidence says: spans of IoU 0.5 or more as a set, anything else right."""
    return score(answer, row) >= RIGHT_IOU


def counted_spans(said: ParsedAnswer | ParsedSpans, protocol: Protocol) -> list[Span] | None:
    """Return the spans of an answer that count; [] if it says that nothing happens, None if it is of no use."""
    if not said.parsed:
        return None
    spans = list(said.spans[:1] if protocol.first_only else said.spans)
    if protocol.swaps:
        spans = [span.ordered() for span in spans]
    return None if protocol.spoils and any(span.length_s <= 0 for span in spans) else spans


def compare(said: ParsedAnswer | ParsedSpans, truth: Sequence[Span], protocol: Protocol, measure: Measure) -> float:
    """Return the measure of the spans that count with the true ones, after the four cases of this file."""
    spans = counted_spans(said, protocol)
    if spans is None:
        return 0.0
    return measure(spans, list(truth)) if spans and truth else float(not spans and not truth)


def first_iou(said: ParsedAnswer | ParsedSpans, truth: Sequence[Span], protocol: Protocol = STRICT) -> float:
    """Return the IoU of the first span with the true span that it fits best: what ``mIoU`` is the mean of."""
    first = replace(protocol, first_only=True)
    return compare(said, truth, first, lambda spans, true: max(iou(spans[0], span) for span in true))


def whole_iou(said: ParsedAnswer | ParsedSpans, truth: Sequence[Span], protocol: Protocol = STRICT) -> float:
    """Return the IoU of all that is said with all that is true, as merged supports: ``set IoU``."""
    return compare(said, truth, protocol, set_iou)
