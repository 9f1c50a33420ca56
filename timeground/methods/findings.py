"""What looks at windows of a video found, and the one answer that it comes to.

A look proposes spans; then the model is asked whether it happens in the window, and whether it happens in each span
(reflection, as TimeSearch has it). Both log odds and those of the proposal's own tokens are averaged into a score.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from timeground.chat.confidence import log_odds
from timeground.chat.prompts import LETTERS, PromptSet
from timeground.data.rows import Row
from timeground.methods.base import Outcome, written
from timeground.methods.direct import Direct
from timeground.models.sampling import SampleSpec
from timeground.scoring import ParsedAnswer
from timeground.spans import Span, clamp, iou, shared_length_s

YES_NO = ("yes", "no", "Yes", "No")
LIKELY = 0.5
"""A span counts as found from this score on."""
SAME_EVENT = 0.3
"""Two spans are one event if they share this much of the shorter one."""
BORDER_S = 0.6
"""A span that comes this near to its window's border may go on behind it."""


@dataclass(frozen=True)
class Finding:
    """What one look says about one row."""

    window: Span
    outcome: Outcome
    spans: tuple[tuple[Span, float], ...] = ()
    """Where it may happen, each with its score from 0 to 1."""
    score: float = 0.0
    """How much speaks for this window."""


def look_into(look: Direct, rows: Sequence[Row], spec: SampleSpec | None) -> list[list[Finding]]:
    """Return what a look finds, for each row its `spec.num_answers` samples."""
    window = look.look.window
    groups = look.answers(rows, spec)
    asked = [
        check for row, group in zip(rows, groups, strict=True) for one in group for check in _checks(row, one, look)
    ]
    scores = iter(look.scores([row for row, _ in asked], [options for _, options in asked]) if asked else [])
    found = []
    for row, group in zip(rows, groups, strict=True):
        told = [[next(scores) for _ in _checks(row, one, look)] for one in group]
        found.append([_finding(row, one, window, shares) for one, shares in zip(group, told, strict=True)])
    return found


def _checks(row: Row, outcome: Outcome, look: Direct) -> Iterator[tuple[Row, Sequence[str]]]:
    """Yield what is asked about an answer, each with the options that are scored."""
    if row.task == "choice":
        yield row, LETTERS[: len(row.options or ())]
    elif row.task == "yes_no":
        yield row, YES_NO
    elif row.task == "ground" and outcome.answer.spans:
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


def _finding(row: Row, outcome: Outcome, window: Span, logprobs: Sequence[Sequence[float]]) -> Finding:
    raw = outcome.raw_confidence
    if row.task == "ground":
        if not logprobs:
            return Finding(window, outcome)
        happens, *between = (p_yes(one) for one in logprobs)
        scores = [_fused(happens, one, raw) for one in between]
        spans = tuple((clamp(s, *window.to_list()), x) for s, x in zip(outcome.answer.spans, scores, strict=True))
        spans = tuple((span, x) for span, x in spans if span.length_s > 0)
        return Finding(window, outcome, spans, max(scores, default=0.0))
    if row.task == "choice":
        best, second = sorted(_shares(logprobs[0]), reverse=True)[:2]
        return Finding(window, outcome, score=best - second)
    if row.task == "yes_no":
        return Finding(window, outcome, score=p_yes(logprobs[0]))
    return Finding(window, outcome, score=raw or 0.0)


def p_yes(logprobs: Sequence[float]) -> float:
    """Return the probability of yes against no, of log-probabilities in the order of `YES_NO`."""
    yes, no, upper_yes, upper_no = _shares(logprobs)
    return (yes + upper_yes) / (yes + no + upper_yes + upper_no)


def _shares(logprobs: Sequence[float]) -> list[float]:
    weights = [math.exp(one - max(logprobs)) for one in logprobs]
    return [weight / sum(weights) for weight in weights]


def _fused(*probabilities: float | None) -> float:
    """Return the probability of the mean log odds."""
    odds = statistics.fmean(log_odds(one) for one in probabilities if one is not None)
    return 1 / (1 + math.exp(-odds))


def best_of(row: Row, findings: Sequence[Finding], prompts: PromptSet) -> tuple[ParsedAnswer, float | None, Finding]:
    """Return the answer that all looks come to, how sure it is, and the look that speaks for it most."""
    best = max(findings, key=lambda one: one.score)
    if row.task == "ground":
        return _when(row, findings, best, prompts)
    answer = best.outcome.answer
    if row.task == "yes_no":
        yes = best.score >= LIKELY
        answer = ParsedAnswer("yes" if yes else "no", yes=yes, rule="windows")
        return answer, best.score if yes else 1 - best.score, best
    if row.task == "events":
        return _listed(row, findings), None, best
    return answer, best.outcome.confidence, best


def _when(
    row: Row, findings: Sequence[Finding], best: Finding, prompts: PromptSet
) -> tuple[ParsedAnswer, float | None, Finding]:
    failures = [one.outcome.answer.failure for one in findings]
    if all(failures):
        return findings[0].outcome.answer, None, best
    likely = [(score, span, one.window) for one in findings for span, score in one.spans if score >= LIKELY]
    spans = joined(likely)
    answer = ParsedAnswer(spans=tuple(spans), absent=not spans, rule="windows")
    return written(answer, row, prompts), best.score if spans else 1 - best.score, best


def joined(found: Sequence[tuple[float, Span, Span]]) -> list[Span]:
    """Return the spans of a set of (score, span, its window), the surest first, each event once.

    A span that overlaps a surer one is the same event, seen from another window; where the surer one touches its
    window's border, the other says how it goes on.
    """
    kept: list[tuple[Span, Span]] = []
    for _, span, window in sorted(found, key=lambda one: -one[0]):
        same = next((n for n, (other, _) in enumerate(kept) if _is_same(span, other)), None)
        if same is None:
            kept.append((span, window))
            continue
        other, its_window = kept[same]
        start_s = min(span.start_s, other.start_s) if _touches(other.start_s, its_window.start_s) else other.start_s
        end_s = max(span.end_s, other.end_s) if _touches(other.end_s, its_window.end_s) else other.end_s
        kept[same] = Span(start_s, end_s), its_window
    return [span for span, _ in kept]


def _is_same(first: Span, second: Span) -> bool:
    shorter_s = min(first.length_s, second.length_s)
    return shared_length_s([first], [second]) > SAME_EVENT * shorter_s


def _touches(time_s: float, border_s: float) -> bool:
    return abs(time_s - border_s) <= BORDER_S


def _listed(row: Row, findings: Sequence[Finding]) -> ParsedAnswer:
    """Return the events that all looks list, in order, each once."""
    kept: list[tuple[str, Span]] = []
    for text, span in sorted((e for one in findings for e in one.outcome.answer.events), key=lambda event: event[1]):
        if not any(text == other and iou(span, there) > SAME_EVENT for other, there in kept):
            kept.append((text, span))
    said = "\n".join(f"{span.start_s:g} - {span.end_s:g}: {text}" for text, span in kept)
    return ParsedAnswer(said, absent=not kept, events=tuple(kept), rule="windows")
