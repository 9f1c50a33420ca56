"""The audit's yes/no questions to a model: about a row as a whole, and about each of its spans."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from timeground.answers import parse_yes_no
from timeground.models.backend import Completion
from timeground.records import Row
from timeground.spans import Span

from ..item import Item
from ..tools import Tools
from .base import by_window, to_spans

Question = Literal["happens", "there", "unique", "clear"]


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


def ask(item: Item, tools: Tools, model_name: str, questions: Sequence[Question]) -> dict[str, Answers]:
    """The model's answers to the questions about each grounding row, by row id."""
    said: dict[str, dict[str, list[float | None]]] = {}
    for window, rows in by_window(item.rows) if questions else ():
        model = tools.model(model_name)
        prefix = model.watch(tools.clip(item.video, model.sampling(), window))
        form = model.profile.prompts().yes_no
        asked = [(row.id, *one) for row in rows for one in _asked(row, tools, questions)]
        texts = [form.format(question=text) for _, _, text in asked]
        for (row_id, name, _), (answer,) in zip(asked, model.say(prefix, texts), strict=True):
            said.setdefault(row_id, {}).setdefault(name, []).append(_yes(answer))
    return {row_id: Answers(**{name: _least(values) for name, values in one.items()}) for row_id, one in said.items()}


def _asked(row: Row, tools: Tools, questions: Sequence[Question]) -> Iterator[tuple[str, str]]:
    """The questions about a row, each with the field of `Answers` that it is for."""
    for name in questions:
        template = tools.prompt(name).text
        if name != "there":
            yield name, _worded(template, row, row.extent)
            continue
        yield from ((name, _worded(template, row, span)) for span in row.spans)
        found = to_spans(row.quality.get("agreement", {}).get("spans") or [])
        if found != row.spans:
            yield from (("elsewhere", _worded(template, row, span)) for span in found)


def _worded(template: str, row: Row, span: Span) -> str:
    """A question about a row and a part of the video."""
    times = {"start": f"{span.start_s:.1f}", "end": f"{span.end_s:.1f}"}
    for name, value in ({"query": row.query.rstrip(".")} | times).items():
        template = template.replace("{" + name + "}", value)
    return template


def _yes(answer: Completion) -> float | None:
    """Probability of yes, as far as it is known: a server may not tell log-probabilities."""
    value = parse_yes_no(answer.text).value
    if value is None:
        return None
    sure = 1.0 if answer.mean_logprob is None else math.exp(answer.mean_logprob * answer.num_tokens)
    return sure if value else 1.0 - sure


def _least(values: Sequence[float | None]) -> float | None:
    """The least sure of several parts."""
    known = [value for value in values if value is not None]
    return min(known) if len(known) == len(values) else None
