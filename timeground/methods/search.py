"""Search: a long video is scanned coarsely, then looked at closely where most speaks for it, best first.

As TimeSearch (arXiv 2504.01407): the model's own proposals say where to look (spotlight), and what it says about them
how much they are worth (reflection). Windows that cover all of the video stand beside the proposals, so that nothing is
unreachable; budgets are hard; every look is counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from timeground.chat.evidence import SearchFit
from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.methods.base import Look, Outcome, Trace
from timeground.methods.close_looks import CloseLooks
from timeground.methods.findings import Finding, best_of
from timeground.methods.from_index import indexed
from timeground.methods.frontier import ORDERS, Candidate, Frontier
from timeground.methods.many_looks import ManyLooks
from timeground.methods.scan import Scanned, scan
from timeground.methods.windows import is_one, window_length_s
from timeground.models.sampling import SampleSpec
from timeground.spans import Span

SCAN, INDEX = "scan", "index"
CALLS_A_LOOK = 2
"""A look asks for an answer, and for what speaks for it."""
UNLIKELY = 0.1
"""Once something sure is found, what is less likely than this is not looked at."""


@dataclass(frozen=True)
class SearchOptions:
    """How a search goes."""

    max_looks: int = 0
    """Most close looks; 0: six, and one more for every five minutes of video."""
    max_calls: int = 0
    """Most times that the model is asked; 0: no limit of its own."""
    max_visual_tokens: int = 0
    """Most visual tokens, the scan's too; 0: no limit of its own."""
    order: str = "evidence"
    """By what windows are ranked: all evidence, one sign of it alone (happens, proposal, frames), or chance."""
    start: str = SCAN
    """What says where to look: a scan, or an index of the video, which is made where there is none."""

    def __post_init__(self) -> None:
        """Refuse what is no setting of a search."""
        for name in ("max_looks", "max_calls", "max_visual_tokens"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 0:
                raise UserError(f"{name} is {value!r}, expected a whole number, 0 or more")
        if self.order not in ORDERS:
            raise UserError(f"order is {self.order!r}, expected one of {', '.join(ORDERS)}")
        if self.start not in (SCAN, INDEX):
            raise UserError(f"start is {self.start!r}, expected {SCAN} or {INDEX}")

    @property
    def budget(self) -> Left:
        """Return what may be spent on one answer."""
        return Left(self.max_visual_tokens or math.inf, self.max_calls or math.inf)

    def looks(self, duration_s: float) -> int:
        """Return how many close looks a video of a length gets at most."""
        return self.max_looks or 6 + int(duration_s // 300)


@dataclass(frozen=True)
class Left:
    """What is left of a budget."""

    tokens: float
    calls: float

    def allows(self, tokens: int, calls: int = CALLS_A_LOOK) -> bool:
        """Return whether so many visual tokens and calls fit in."""
        return tokens <= self.tokens and calls <= self.calls

    def after(self, look: Look, finding: Finding) -> Left:
        """Return what is left after a look."""
        return Left(self.tokens - look.visual_tokens, self.calls - finding.num_calls)


class Search(ManyLooks):
    """A scan, then close looks where most speaks for it; rows share each window's prefix."""

    name = "search"
    options: ClassVar[SearchOptions] = SearchOptions()

    @property
    def window_s(self) -> float:
        """Return how long a part is looked at closely."""
        return window_length_s(self.model.profile.window_s, self.sampling)

    @property
    def fit(self) -> SearchFit:
        """Return how what is seen is weighed."""
        return self.model.profile.search or SearchFit()

    def answers(self, rows: Sequence[Row], spec: SampleSpec | None = None) -> list[list[Outcome]]:
        """Return `spec.num_answers` outcomes for each row; the n-th is searched for by the n-th samples.

        Raise UserError for a budget that is too small for one close look.
        """
        self._closely = CloseLooks(self, spec)
        scanned = self._scanned(rows, spec)
        try:
            return [
                [self._searched(row, number, windows) for number, windows in enumerate(samples)]
                for row, samples in zip(rows, scanned, strict=True)
            ]
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the prefixes that are held."""
        if "_closely" in vars(self):
            self._closely.close()

    def _scanned(self, rows: Sequence[Row], spec: SampleSpec | None) -> list[list[list[Scanned]]]:
        """Return what is known before a close look, for each row and sample; nothing of what one window shows."""
        num_answers = spec.num_answers if spec else 1
        if is_one(self.extent, self.window_s):
            return [[[] for _ in range(num_answers)] for _ in rows]
        if self.options.start == INDEX:
            return [[[seen]] * num_answers for seen in indexed(self, rows)]
        return scan(self, self.window_s, rows, spec)

    def _searched(self, row: Row, number: int, scanned: Sequence[Scanned]) -> Outcome:
        """Return the outcome of one row. number: of the sample."""
        looks = [one.look for one in scanned]
        findings: list[Finding] = []
        left = self.options.budget
        for one in scanned:
            left = left.after(one.look, one.finding)
        frontier = Frontier(self.extent, self.window_s, scanned, self.fit.order, self.options.order, row.id)
        for _ in range(self.options.looks(self.extent.length_s)):
            candidate = self._next(frontier, left, findings)
            if candidate is None:
                break
            seen = []
            for look, finding in self._look(row, number, candidate, left):
                looks.append(replace(look, parent=candidate.parent, why=candidate.evidence))
                self.on_look(looks[-1])
                left = left.after(look, finding)
                seen.append(finding)
            findings += seen
            frontier.saw(candidate, seen, len(looks) - 1)
        if not findings:
            raise UserError(
                f"{self.video.source}: the budget of the search ends before one close look; raise max_visual_tokens, "
                "max_calls or max_looks"
            )
        return self._outcome(row, findings, looks, scanned)

    def _look(self, row: Row, number: int, candidate: Candidate, left: Left) -> Iterator[tuple[Look, Finding]]:
        """Yield the looks that a candidate is worth. number: of the sample. left: of the budget, before them."""
        yield self._closely.at(candidate.window, row, number)

    def _most_tokens(self, window: Span) -> int:
        """Return how many visual tokens have to be left for a look at a candidate."""
        return self._closely.most_tokens(window)

    def _next(self, frontier: Frontier, left: Left, findings: Sequence[Finding]) -> Candidate | None:
        """Return the likeliest window; None where the budget ends, or something sure is found and nothing is likely."""
        candidate = frontier.best()
        if candidate is None or (self._is_sure(findings) and candidate.score < UNLIKELY):
            return None
        return candidate if left.allows(self._most_tokens(candidate.window)) else None

    def _is_sure(self, findings: Sequence[Finding]) -> bool:
        return any(one.score >= self.fit.sure for one in findings)

    def _outcome(
        self, row: Row, findings: Sequence[Finding], looks: Sequence[Look], scanned: Sequence[Scanned]
    ) -> Outcome:
        listed = [*(one.finding for one in scanned), *findings] if row.task == "events" else findings
        answer, confidence, best = best_of(row, listed, self.prompts, self.fit)
        self.best_window[row.id] = best.window
        others = [one for one in (*findings, *(one.finding for one in scanned)) if one is not best]
        return Outcome(
            replace(answer, rule="search") if answer.rule == "windows" else answer,
            confidence,
            tuple(trajectory for one in (best, *others) for trajectory in one.outcome.trajectories),
            Trace(tuple(looks), sum(one.num_calls for one in (best, *others))),
        )
