"""Speculative search: a draft looks first, and the model itself only at what the draft picks.

As SpecTemp (arXiv 2512.00805), for grounding: a search names the segments; in each a draft reads dense but small frames
and proposes spans; the model answers from the frames around these, at full size, or goes on to the next segment. The
draft is the same model with fewer tokens, its text-to-frame head alone, or a smaller model. Its tokens count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

from timeground.chat.confidence import probability
from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.media.clip import Clip
from timeground.media.sampling import Sampling
from timeground.methods.base import Look, Outcome, Proposal
from timeground.methods.close_looks import CloseLooks
from timeground.methods.findings import Finding
from timeground.methods.frontier import Candidate
from timeground.methods.search import Left, Search, SearchOptions
from timeground.models.base import Model
from timeground.models.sampling import SampleSpec
from timeground.scoring import ParsedAnswer
from timeground.spans import Span, merge

SAME, FRAMES = "same", "frames"
BESIDE_S = 2.5
"""So much is shown before and after what a draft proposes, so that its borders are seen."""
FAINT = 0.12
"""What a draft finds less likely than this is not looked at again."""
FITS = 0.3
"""From this probability on a frame fits a query, where the head alone is the draft."""


@dataclass(frozen=True)
class SpeculativeOptions(SearchOptions):
    """How a speculative search goes."""

    draft: str = SAME
    """Who looks first: the same model with fewer tokens, its head alone (frames), or another model by name."""


class Speculative(Search):
    """A search whose close looks are drafted."""

    name = "speculative"
    options: ClassVar[SpeculativeOptions] = SpeculativeOptions()

    def answers(self, rows: Sequence[Row], spec: SampleSpec | None = None) -> list[list[Outcome]]:
        """Return `spec.num_answers` outcomes for each row, as `Search` does.

        Raise UserError where the draft cannot be loaded, or its head is asked for and there is none.
        """
        sampling = replace(
            self.sampling, fps=self.sampling.fps / 2, max_tokens_per_pair=self.sampling.min_tokens_per_pair
        )
        self._drafts = CloseLooks(self, spec, sampling, self.draft_model)
        return super().answers(rows, spec)

    @cached_property
    def draft_model(self) -> Model:
        """Return the model that drafts."""
        if self.options.draft in (SAME, FRAMES):
            return self.model
        from timeground.models.opening import open_model

        return open_model(self.options.draft)

    def close(self) -> None:
        """Let go of the prefixes that are held."""
        super().close()
        if "_drafts" in vars(self):
            self._drafts.close()

    def _look(self, row: Row, number: int, candidate: Candidate, left: Left) -> Iterator[tuple[Look, Finding]]:
        """Yield the draft's look, then the model's at what it picks, as far as the budget lasts."""
        look, finding = self._draft(row, number, candidate.window)
        picked = [one.span for one in finding.proposals if one.score >= FAINT]
        if row.task != "ground" and finding.score >= FAINT:
            picked = [candidate.window]
        yield replace(look, is_draft=True), replace(finding, proposals=(), score=0.0)
        left = left.after(look, finding)
        for segment in self._segments(picked, candidate.window):
            if not left.allows(self._closely.most_tokens(segment)):
                return
            look, finding = self._closely.at(segment, row, number)
            left = left.after(look, finding)
            yield look, finding

    def _draft(self, row: Row, number: int, window: Span) -> tuple[Look, Finding]:
        if self.options.draft != FRAMES:
            return self._drafts.at(window, row, number)
        clip = self.video.part(window, self._drafts.sampling)
        return head_look(self.model, clip, row, self._drafts.sampling)

    def _segments(self, picked: Sequence[Span], window: Span) -> list[Span]:
        """Return what the model itself looks at: what was picked and a little around it, each part once."""
        low, high = self.extent.start_s, self.extent.end_s
        wide = [Span(max(low, one.start_s - BESIDE_S), min(high, one.end_s + BESIDE_S)) for one in picked]
        return [Span(round(one.start_s, 3), round(one.end_s, 3)) for one in merge(wide)]

    def _most_tokens(self, window: Span) -> int:
        """Return how many visual tokens have to be left for the draft's look."""
        return self._drafts.most_tokens(window)


def head_look(model: Model, clip: Clip, row: Row, sampling: Sampling) -> tuple[Look, Finding]:
    """Return what a model's text-to-frame head makes of a clip: runs of frame pairs that fit the query.

    sampling: by which the clip was read. Raise UserError where the model has no head.
    """
    scores_QP = model.frame_scores(clip, [row.query or row.question or ""])
    if scores_QP is None:
        raise UserError(
            f"{model.name} has no text-to-frame head to draft with; take draft={SAME}, or another model's name"
        )
    fits = [probability(odds) for odds in scores_QP[0].tolist()]
    starts_s = [*clip.pair_times_s()[:, 0].tolist(), clip.end_s]
    found: list[Proposal] = []
    for fit, start_s, end_s in zip(fits, starts_s[:-1], starts_s[1:], strict=True):
        if fit < FITS:
            continue
        if found and found[-1].span.end_s == start_s:
            last = found.pop()
            start_s, fit = last.span.start_s, max(fit, last.score)
        found.append(Proposal(Span(start_s, end_s), fit, {"frames": fit}))
    window, best = Span(clip.start_s, clip.end_s), max(fits, default=0.0)
    outcome = Outcome(ParsedAnswer(spans=tuple(one.span for one in found), absent=not found, rule="frames"))
    return Look.at(clip, sampling, 0.0), Finding(window, outcome, tuple(found), {"frames": best}, best)
