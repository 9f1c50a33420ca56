"""Reflection: what a model is asked about its own answer to a part of a video (TimeSearch, arXiv 2504.01407).

Whether it happens in the part at all, and whether it happens in each span that was proposed; for a choice, how far the
best option leads. A mix makes one probability of that (`timeground.chat.evidence`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from timeground.chat.evidence import Evidence, Mix, Sign
from timeground.chat.prompts import LETTERS, PromptSet
from timeground.data.rows import Row
from timeground.methods.base import Outcome, Proposal
from timeground.methods.direct import Direct
from timeground.spans import Span


@dataclass(frozen=True)
class FrameFit:
    """How well a moment of the video fits a query, by a text-to-frame head."""

    time_s: float
    fit: float
    """A probability."""


YES_NO = ("yes", "no", "Yes", "No")


def checks(row: Row, outcome: Outcome, look: Direct) -> Iterator[tuple[Row, Sequence[str]]]:
    """Yield what is asked about an answer, each with the options that are scored."""
    if row.task == "choice":
        yield row, LETTERS[: len(row.options or ())]
    elif row.task == "yes_no":
        yield row, YES_NO
    elif row.task == "ground":
        yield happens_row(row, look.prompts), YES_NO
        for span in outcome.answer.spans:
            yield happens_row(row, look.prompts, span, look.origin_s), YES_NO


def happens_row(row: Row, prompts: PromptSet, span: Span | None = None, origin_s: float = 0.0) -> Row:
    """Return the question whether what a row looks for happens, or happens in a span of the file.

    origin_s: the second of the file that the model calls 0.
    """
    query = " ".join(row.query.split()).rstrip(".")
    question = prompts.happens.format(query=query)
    if span is not None:
        times = {"start": f"{span.start_s - origin_s:.1f}", "end": f"{span.end_s - origin_s:.1f}"}
        question = prompts.happens_between.format(query=query, **times)
    return replace(row, question=question, answer="yes", spans=[])


def signs(row: Row, outcome: Outcome, logprobs: Sequence[Sequence[float]]) -> Evidence:
    """Return what speaks for a part of the video, of an answer and the log-probabilities of its `checks`."""
    own: Evidence = {} if outcome.raw_confidence is None else {"proposal": outcome.raw_confidence}
    if row.task == "choice":
        return {**own, "margin": margin(logprobs[0])}
    if row.task in ("yes_no", "ground"):
        return {**own, "happens": p_yes(logprobs[0])}
    return own


def proposals(
    spans: Sequence[Span],
    seen: Evidence,
    logprobs: Sequence[Sequence[float]],
    frames: Sequence[FrameFit],
    mix: Mix,
) -> list[Proposal]:
    """Return the spans of a grounding answer with their scores.

    seen: the `signs` of the part. logprobs: of its `checks`. frames: those of the part that fit. mix: weighs it all.
    """
    found = []
    for span, told in zip(spans, logprobs[1:], strict=True):
        evidence: dict[Sign, float] = {**seen, "between": p_yes(told)}
        if frames:
            inside = (one.fit for one in frames if span.start_s <= one.time_s <= span.end_s)
            evidence["frames"] = max(inside, default=min(one.fit for one in frames))
        found.append(Proposal(span, mix(evidence), evidence))
    return found


def p_yes(logprobs: Sequence[float]) -> float:
    """Return the probability of yes against no, of log-probabilities in the order of `YES_NO`."""
    yes, no, upper_yes, upper_no = shares(logprobs)
    return (yes + upper_yes) / (yes + no + upper_yes + upper_no)


def margin(logprobs: Sequence[float]) -> float:
    """Return by how much the best option leads the second."""
    best, second = sorted(shares(logprobs), reverse=True)[:2]
    return best - second


def shares(logprobs: Sequence[float]) -> list[float]:
    """Return the probability of each option among all of them."""
    weights = [math.exp(one - max(logprobs)) for one in logprobs]
    return [weight / sum(weights) for weight in weights]
