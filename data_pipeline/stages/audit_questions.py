"""The audit's yes/no questions to a model: about a row as a whole, and about each of its spans."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from timeground.chat.trajectory import Turn
from timeground.data.rows import Row
from timeground.grammar.answers import parse_yes_no
from timeground.spans import Span, shifted

from ..item import Item
from ..tools import Tools
from .base import by_window, to_spans
from .views import View

Question = Literal["happens", "there", "unique", "clear"]
Asking = tuple[str, str, int]
"""One question: row id, field of `Answers`, number of the row's span that it is about."""
_MOST = 0.995
"""A single view counts as no surer than that, so that it does not decide alone."""


@dataclass(frozen=True)
class Answers:
    """Probabilities of "yes" to what was asked of a row; None: it was not asked, or said neither yes nor no.

    there: it happens in the row's spans. elsewhere: it happens in the spans that the passes agree on, if those differ.
    """

    happens: float | None = None
    there: float | None = None
    elsewhere: float | None = None
    unique: float | None = None
    clear: float | None = None

    def known(self) -> dict[str, float]:
        """What was answered, by question."""
        return {name: round(value, 3) for name, value in vars(self).items() if value is not None}


def says_no(answer: float | None) -> bool:
    """Whether a question was answered with no."""
    return answer is not None and answer < 0.5


def ask(
    item: Item, tools: Tools, model_name: str, questions: Sequence[Question], views: Sequence[View] = (View.PLAIN,)
) -> dict[str, Answers]:
    """The model's answers to the questions about each grounding row, by row id.

    Whether it happens in given spans is asked in every view that can word it, and the log-odds averaged; the other
    questions are asked in the first view alone.
    """
    said: dict[Asking, list[float | None]] = {}
    for window, rows in by_window(item.rows) if questions else ():
        model = tools.model(model_name)
        clip = tools.clip(item.video, model.sampling(), window)
        form = model.profile.prompts().yes_no
        for number, view in enumerate(views):
            wanted = questions if number == 0 else [name for name in questions if name == "there"]
            asked = [one for row in rows for one in _asked(row, tools, wanted, view, model.calls_zero_s(clip))]
            if not asked:
                continue
            texts = [form.format(question=text) for _, text in asked]
            for (what, _), (answer,) in zip(asked, model.say(model.watch(view.show(clip)), texts), strict=True):
                said.setdefault(what, []).append(_yes(answer))
    return _together(said)


def _asked(
    row: Row, tools: Tools, questions: Sequence[Question], view: View, zero_s: float
) -> Iterator[tuple[Asking, str]]:
    """The questions about a row as a view has it. zero_s: the second of the file that the model calls 0."""
    query = view.word(row)
    if query is None:
        return
    found = to_spans(row.quality.get("agreement", {}).get("spans") or [])
    for name in questions:
        asked = [("there", row.spans), ("elsewhere", found if found != row.spans else [])]
        for field, spans in asked if name == "there" else [(name, [row.extent])]:
            for number, span in enumerate(spans):
                (turned,) = shifted(view.turn([span], row.extent), -zero_s)
                yield (row.id, field, number), _worded(tools.prompt(name).text, query, turned)


def _worded(template: str, query: str, span: Span) -> str:
    """A question about a query and a part of the video."""
    times = {"start": f"{span.start_s:.1f}", "end": f"{span.end_s:.1f}"}
    for name, value in ({"query": query.rstrip(".")} | times).items():
        template = template.replace("{" + name + "}", value)
    return template


def _yes(answer: Turn) -> float | None:
    """Probability of yes, as far as it is known: a server may not tell log-probabilities."""
    value = parse_yes_no(answer.text).value
    if value is None:
        return None
    sure = 1.0 if answer.mean_logprob is None else math.exp(answer.mean_logprob * answer.num_tokens)
    return sure if value else 1.0 - sure


def log_odds(probability: float) -> float:
    """Log-odds of a probability, kept within what one answer may count."""
    kept = min(max(probability, 1 - _MOST), _MOST)
    return math.log(kept / (1 - kept))


def _together(said: dict[Asking, list[float | None]]) -> dict[str, Answers]:
    """Of the views the mean, of a row's spans the least sure; None where a span got no answer in any view."""
    rows: dict[str, dict[str, float | None]] = {}
    for (row_id, field, _), values in said.items():
        known = [log_odds(value) for value in values if value is not None]
        mean = 1 / (1 + math.exp(-statistics.fmean(known))) if known else None
        fields = rows.setdefault(row_id, {})
        before = fields.get(field, mean)
        fields[field] = None if mean is None or before is None else min(mean, before)
    return {row_id: Answers(**fields) for row_id, fields in rows.items()}
