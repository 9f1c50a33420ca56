"""What looks at parts of a video found, and the one answer that it comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from timeground.chat.confidence import probability
from timeground.chat.evidence import Evidence, SearchFit
from timeground.chat.prompts import PromptSet
from timeground.data.rows import Row
from timeground.methods.base import Look, Outcome, Proposal, written
from timeground.methods.direct import Direct
from timeground.methods.reflection import FrameFit, checks, proposals, signs
from timeground.models.sampling import SampleSpec
from timeground.scoring import ParsedAnswer
from timeground.spans import Span, clamp, iou, shared_length_s

LIKELY = 0.5
"""A yes counts from this probability on."""
SAME_EVENT = 0.3
"""Two spans are one event if they share this much of the shorter one."""
BORDER_S = 0.6
"""A span that comes this near to its window's border may go on behind it."""


@dataclass(frozen=True)
class Finding:
    """What one look says about one row."""

    window: Span
    outcome: Outcome
    proposals: tuple[Proposal, ...] = ()
    """Where it may happen."""
    evidence: Evidence = field(default_factory=dict)
    """What speaks for this window."""
    score: float = 0.0
    """How much that is; of the best proposal, where there are some."""
    frames: tuple[FrameFit, ...] = ()
    """How well its frames fit the query, where the model has a head for that."""

    def of(self, look: Look, **more: Any) -> Look:
        """Return the look with what it found."""
        return replace(look, score=self.score, evidence=self.evidence, found=self.proposals, **more)

    @property
    def num_calls(self) -> int:
        """Return how often the model was asked: for an answer, and what speaks for it."""
        if not self.outcome.trajectories:
            return 0
        return 2 if {"happens", "margin"} & set(self.evidence) else 1


def look_into(look: Direct, rows: Sequence[Row], spec: SampleSpec | None) -> list[list[Finding]]:
    """Return what a look finds, for each row its `spec.num_answers` samples."""
    groups, fits = look.answers(rows, spec), frame_fits(look, rows)
    asked = [
        check for row, group in zip(rows, groups, strict=True) for one in group for check in checks(row, one, look)
    ]
    scores = iter(look.scores([row for row, _ in asked], [options for _, options in asked]) if asked else [])
    found = []
    for row, group, frames in zip(rows, groups, fits, strict=True):
        told = [[next(scores) for _ in checks(row, one, look)] for one in group]
        found.append([finding(row, one, look, logprobs, frames) for one, logprobs in zip(group, told, strict=True)])
    return found


def frame_fits(look: Direct, rows: Sequence[Row]) -> list[tuple[FrameFit, ...]]:
    """Return how well each frame pair of a look fits each row's query; nothing where the model has no head for that."""
    scores_QP = look.model.frame_scores(look.clip, [row.query or row.question or "" for row in rows])
    if scores_QP is None:
        return [()] * len(rows)
    times_s = look.clip.pair_times_s().mean(dim=1).tolist()
    return [
        tuple(FrameFit(time_s, probability(odds)) for time_s, odds in zip(times_s, scores, strict=True))
        for scores in scores_QP.tolist()
    ]


def finding(
    row: Row, outcome: Outcome, look: Direct, logprobs: Sequence[Sequence[float]], frames: tuple[FrameFit, ...] = ()
) -> Finding:
    """Return what an answer, the log-probabilities of its `checks` and the frames that fit come to."""
    window, evidence = look.look.window, signs(row, outcome, logprobs)
    if row.task == "ground":
        inside = [clamp(span, *window.to_list()) for span in outcome.answer.spans]
        fit = look.model.profile.search or SearchFit()
        found = proposals(inside, evidence, logprobs, frames, fit.answer)
        kept = tuple(one for one in found if one.span.length_s > 0)
        return Finding(window, outcome, kept, evidence, max((one.score for one in kept), default=0.0), frames)
    name = {"choice": "margin", "yes_no": "happens"}.get(row.task, "proposal")
    return Finding(window, outcome, (), evidence, dict(evidence).get(name, 0.0), frames)  # type: ignore[call-overload]


def best_of(
    row: Row, findings: Sequence[Finding], prompts: PromptSet, fit: SearchFit | None = None
) -> tuple[ParsedAnswer, float | None, Finding]:
    """Return the answer that all looks come to, how sure it is, and the look that speaks for it most."""
    best = max(findings, key=lambda one: one.score)
    if row.task == "ground":
        return _when(row, findings, best, prompts, fit or SearchFit())
    answer = best.outcome.answer
    if row.task == "yes_no":
        yes = best.score >= LIKELY
        answer = ParsedAnswer("yes" if yes else "no", yes=yes, rule="windows")
        return answer, best.score if yes else 1 - best.score, best
    if row.task == "events":
        return _listed(findings), None, best
    return answer, best.outcome.confidence, best


def _when(
    row: Row, findings: Sequence[Finding], best: Finding, prompts: PromptSet, fit: SearchFit
) -> tuple[ParsedAnswer, float | None, Finding]:
    failures = [one.outcome.answer.failure for one in findings]
    if all(failures):
        return findings[0].outcome.answer, None, best
    likely = [(a.score, a.span, one.window) for one in findings for a in one.proposals if a.score >= fit.found]
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
        start_s = min(span.start_s, other.start_s) if touches(other.start_s, its_window.start_s) else other.start_s
        end_s = max(span.end_s, other.end_s) if touches(other.end_s, its_window.end_s) else other.end_s
        kept[same] = Span(start_s, end_s), its_window
    return [span for span, _ in kept]


def _is_same(first: Span, second: Span) -> bool:
    shorter_s = min(first.length_s, second.length_s)
    return shared_length_s([first], [second]) > SAME_EVENT * shorter_s


def touches(time_s: float, border_s: float) -> bool:
    """Return whether a span that ends here may go on behind a border."""
    return abs(time_s - border_s) <= BORDER_S


def _listed(findings: Sequence[Finding]) -> ParsedAnswer:
    """Return the events that all looks list, in order, each once."""
    kept: list[tuple[str, Span]] = []
    for text, span in sorted((e for one in findings for e in one.outcome.answer.events), key=lambda event: event[1]):
        if not any(text == other and iou(span, there) > SAME_EVENT for other, there in kept):
            kept.append((text, span))
    said = "\n".join(f"{span.start_s:g} - {span.end_s:g}: {text}" for text, span in kept)
    return ParsedAnswer(said, absent=not kept, events=tuple(kept), rule="windows")
