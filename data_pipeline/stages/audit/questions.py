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
from timeground.spans import shifted

from ...item import Item
from ...notes import quality
from ...stage import by_window, grounding, to_spans
from ...tools import Tools
from ...views import View

Question = Literal["happens", "there", "unique", "clear"]
Asked = tuple[str, str, int]
"""One question that was asked: row id, field of `YesAnswers`, number of the row's span that it is about."""
MAX_PROBABILITY = 0.995
"""A single view counts as no surer than that, so that it does not decide alone."""


@dataclass(frozen=True)
class YesAnswers:
    """Probabilities of "yes" to what was asked about a row; None: not asked, or answered neither yes nor no."""

    happens: float | None = None
    there: float | None = None
    """It happens in the row's spans."""
    elsewhere: float | None = None
    """It happens in the spans that the passes agree on, if those differ."""
    unique: float | None = None
    clear: float | None = None

    def known(self) -> dict[str, float]:
        """Return what was answered, by question."""
        return {name: round(value, 3) for name, value in vars(self).items() if value is not None}


def says_no(answer: float | None) -> bool:
    """Return whether a question was answered with no."""
    return answer is not None and answer < 0.5


def ask(
    item: Item, tools: Tools, model_name: str, questions: Sequence[Question], views: Sequence[View] = (View.PLAIN,)
) -> dict[str, YesAnswers]:
    """Return the model's answers to the questions about each grounding row, by row id.

    Whether it happens in given spans is asked in every view that can word it, and the log-odds averaged; the other
    questions are asked in the first view alone.
    """
    answers: dict[Asked, list[float | None]] = {}
    for window, rows in by_window(grounding(item.rows)).items() if questions else ():
        model = tools.model(model_name)
        video = tools.video(item.video)
        zero_s = model.origin_s(video.part(window, model.sampling()))
        form = model.profile.prompts().yes_no
        for number, view in enumerate(views):
            names = questions if number == 0 else [name for name in questions if name == "there"]
            asked = [one for row in rows for one in _texts(row, tools, names, view, zero_s)]
            if not asked:
                continue
            texts = [form.format(question=text) for _, text in asked]
            shown = model.watch(view.of(video, window, model.sampling()), window)
            for (what, _), (outcome,) in zip(asked, model.answer(shown, texts), strict=True):
                answers.setdefault(what, []).append(_yes(outcome.turn))
    return _by_row(answers)


def _texts(
    row: Row, tools: Tools, questions: Sequence[Question], view: View, origin_s: float
) -> Iterator[tuple[Asked, str]]:
    """Yield the questions about a row as a view has it. origin_s: the second of the file that the model calls 0."""
    query = view.word(row)
    if query is None:
        return
    agreed = to_spans(quality(row)["agreement"]["spans"] or []) if "agreement" in row.quality else []
    for name in questions:
        places = [("there", row.spans), ("elsewhere", agreed if agreed != row.spans else [])]
        for field, spans in places if name == "there" else [(name, [row.extent])]:
            for number, span in enumerate(spans):
                (part,) = shifted(view.turn([span], row.extent), -origin_s)
                times = {"start": f"{part.start_s:.1f}", "end": f"{part.end_s:.1f}"}
                yield (row.id, field, number), tools.prompt(name).fill(query=query.rstrip("."), **times)


def _yes(answer: Turn) -> float | None:
    """Return the probability of yes, as far as it is known: a server may not tell log-probabilities."""
    value = parse_yes_no(answer.text).value
    if value is None:
        return None
    probability = 1.0 if answer.mean_logprob is None else math.exp(answer.mean_logprob * answer.num_tokens)
    return probability if value else 1.0 - probability


def log_odds(probability: float) -> float:
    """Return the log-odds of a probability, which counts as no surer than one answer may be."""
    limited = min(max(probability, 1 - MAX_PROBABILITY), MAX_PROBABILITY)
    return math.log(limited / (1 - limited))


def _by_row(answers: dict[Asked, list[float | None]]) -> dict[str, YesAnswers]:
    """Return answers by row: the mean over views, the least sure of its spans; None where a span got no answer."""
    rows: dict[str, dict[str, float | None]] = {}
    for (row_id, field, _), values in answers.items():
        known = [log_odds(value) for value in values if value is not None]
        mean = 1 / (1 + math.exp(-statistics.fmean(known))) if known else None
        fields = rows.setdefault(row_id, {})
        before = fields.get(field, mean)
        fields[field] = None if mean is None or before is None else min(mean, before)
    return {row_id: YesAnswers(**fields) for row_id, fields in rows.items()}
