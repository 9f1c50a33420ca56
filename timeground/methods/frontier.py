"""The windows that a search may look at next, ranked by what speaks for each.

Of a video these are windows of one length that cover all of it, and windows around proposals that none of them holds
whole. What was seen closely speaks no more: a window is ranked by the frames and proposals that no close look showed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from timeground.chat.evidence import Evidence, Mix, Sign
from timeground.methods.base import Proposal
from timeground.methods.findings import Finding, touches
from timeground.methods.scan import Scanned
from timeground.methods.windows import cover
from timeground.spans import Span, shared_length_s

ORDERS = ("evidence", "happens", "proposal", "frames", "chance")
OVERLAP = 1 / 3
"""How much of a window the next one shows again."""
WIDER = 0.25
"""By so much of its length a proposal is widened, on both sides together."""
NOTHING = 0.02
"""What the sign of proposals says where there are none."""


@dataclass(frozen=True)
class Candidate:
    """A window that may be looked at closely."""

    window: Span
    score: float
    """How likely it holds what is looked for."""
    parent: int | None = None
    """The number of the look that led to it."""
    evidence: Evidence = field(default_factory=dict)
    """What speaks for it."""


class Frontier:
    """What is left to look at, of one row."""

    def __init__(
        self, extent: Span, window_s: float, scanned: Sequence[Scanned], mix: Mix, order: str, seed: str
    ) -> None:
        """Begin with what a scan saw. order: one of `ORDERS`. seed: of the order by chance."""
        self.extent, self.window_s, self.scanned, self.mix, self.order = extent, window_s, scanned, mix, order
        self.chance = random.Random(seed)
        self.seen: list[Span] = []
        self.waiting: dict[Span, int | None] = dict.fromkeys(cover(extent, window_s, OVERLAP))
        self.certain: dict[Span, float] = {}
        for number, one in enumerate(scanned):
            for found in one.finding.proposals:
                self._propose(found.span, number)

    def best(self) -> Candidate | None:
        """Return the window to look at next; None where all were looked at."""
        if not self.waiting:
            return None
        if self.order == "chance":
            window = self.chance.choice(sorted(self.waiting))
            return Candidate(window, 1.0, self.waiting[window], self.evidence(window))
        ranked = {window: self.certain.get(window) or self.score(window) for window in self.waiting}
        window = max(ranked, key=lambda one: (ranked[one], -one.start_s))
        return Candidate(window, ranked[window], self._parent(window), self.evidence(window))

    def saw(self, candidate: Candidate, findings: Sequence[Finding], number: int) -> None:
        """Take note of the looks at a candidate. number: of the last one, to which follow-ups refer."""
        self.waiting.pop(candidate.window, None)
        self.certain.pop(candidate.window, None)
        self.seen.append(candidate.window)
        for finding in findings:
            for found in finding.proposals:
                if self._leaves(found.span, finding.window):
                    self._follow(self._around(found.span), found.score, number)

    def _follow(self, window: Span, score: float, number: int) -> None:
        """Let a window wait in which something goes on that another one cuts off."""
        if not any(_holds(one, window) for one in self.seen):
            self.waiting[window], self.certain[window] = number, score

    def score(self, window: Span) -> float:
        """Return how likely a window holds what is looked for and was not seen closely yet."""
        evidence = self.evidence(window)
        if self.order != "evidence":
            return dict(evidence).get(self.order, NOTHING)  # type: ignore[call-overload, no-any-return]
        return self.mix(evidence)

    def evidence(self, window: Span) -> Evidence:
        """Return what speaks for a window."""
        over = [one for one in self.scanned if _shared_s(one.look.window, window) > 0]
        if not over:
            return {"proposal": NOTHING}
        signs: dict[Sign, float] = {
            "proposal": max((self._part(f, window) for one in over for f in one.finding.proposals), default=NOTHING)
        }
        most = [one for one in over if _shared_s(one.look.window, window) > 0.5 * window.length_s] or over
        if told := [one.finding.evidence["happens"] for one in most if "happens" in one.finding.evidence]:
            signs["happens"] = self._rest(window) * max(told)
        frames = [frame for one in over for frame in one.finding.frames]
        if frames:
            fits = [f.fit for f in frames if window.start_s <= f.time_s < window.end_s and not self._is_seen(f.time_s)]
            signs["frames"] = max(fits, default=0.0)
        if not {"happens", "frames"} & set(signs):
            signs["proposal"] = max(self._rest(window) * one.finding.score for one in over)
        return signs

    def _part(self, found: Proposal, window: Span) -> float:
        """Return what a proposal of the scan says for a window: the more of it lies there, unseen, the more."""
        if any(_shared_s(found.span, one) > 0.5 * found.span.length_s for one in self.seen):
            return NOTHING
        return max(NOTHING, found.score * _shared_s(found.span, window) / found.span.length_s)

    def _rest(self, window: Span) -> float:
        """Return how much of a window was not seen closely."""
        return 1 - shared_length_s([window], self.seen) / window.length_s if self.seen else 1.0

    def _is_seen(self, time_s: float) -> bool:
        return any(one.start_s <= time_s < one.end_s for one in self.seen)

    def _parent(self, window: Span) -> int | None:
        """Return the look of the scan that shows most of a window, or the one that proposed it."""
        if self.waiting[window] is not None or not self.scanned:
            return self.waiting[window]
        return max(range(len(self.scanned)), key=lambda n: _shared_s(self.scanned[n].look.window, window))

    def _propose(self, span: Span, number: int) -> None:
        """Let the window around a proposal wait, unless one that waits holds it whole."""
        wide = self._widened(span)
        if not any(_holds(window, wide) for window in self.waiting):
            self.waiting.setdefault(self._around(span), number)

    def _leaves(self, span: Span, window: Span) -> bool:
        """Return whether a span may go on where a window ends and the video does not."""
        before = touches(span.start_s, window.start_s) and window.start_s > self.extent.start_s
        return before or (touches(span.end_s, window.end_s) and window.end_s < self.extent.end_s)

    def _around(self, span: Span) -> Span:
        """Return a window with a proposal in its middle."""
        wide = self._widened(span)
        length_s = min(max(self.window_s, wide.length_s), 2 * self.window_s, self.extent.length_s)
        start_s = (wide.start_s + wide.end_s - length_s) / 2
        start_s = min(max(start_s, self.extent.start_s), self.extent.end_s - length_s)
        return Span(round(start_s, 3), round(start_s + length_s, 3))

    def _widened(self, span: Span) -> Span:
        more_s = WIDER * span.length_s / 2
        return Span(max(self.extent.start_s, span.start_s - more_s), min(self.extent.end_s, span.end_s + more_s))


def _shared_s(one: Span, other: Span) -> float:
    return max(0.0, min(one.end_s, other.end_s) - max(one.start_s, other.start_s))


def _holds(window: Span, span: Span) -> bool:
    return window.start_s <= span.start_s and span.end_s <= window.end_s
