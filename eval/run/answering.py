"""Asking a model the rows of one video: encoded once for each way of showing it, all rows from one KV cache."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from timeground.chat.layout import origin_s
from timeground.chat.prompts import LETTERS
from timeground.chat.trajectory import Turn
from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.media import views
from timeground.media.clip import Clip
from timeground.models.base import Backend, Session
from timeground.models.served.http import BadReply
from timeground.stopwatch import Stopwatch

from ..tasks import Task
from .answers import CLEAN, Answer
from .settings import RunSettings


@dataclass
class Asker:
    """Asks rows about clips."""

    backend: Backend
    task: Task
    settings: RunSettings
    clock: Stopwatch

    def answers(self, clip: Clip, rows: Sequence[Row], other: Clip | None = None) -> list[Answer]:
        """A reply to each row, then one for each probe; other: the clip that `other-video` shows."""
        found = self._asked(clip, rows, CLEAN)
        for probe in self.settings.probes:
            changed = changed_clip(clip, probe, other)
            if changed is not None:
                found += self._asked(changed, rows, probe)
        return found

    def _asked(self, clip: Clip, rows: Sequence[Row], probe: str) -> list[Answer]:
        with self.clock.on("encode"):
            session = self.backend.encode(clip)
        prompts = self.backend.profile.prompts()
        texts = [self.task.prompt(row, prompts) for row in rows]
        with self.clock.on("generate"):
            greedy = self.backend.sample(session, texts, self.settings.greedy)
            sampled = self._sampled(session, texts) if probe == CLEAN else [[] for _ in texts]
            shares = [self._shares_or_failure(session, text, row) for text, row in zip(texts, rows, strict=True)]
        from_s = origin_s(self.backend.profile.time_encoding, clip.start_s)
        return [
            replace(self._answer(row, probe, one, more, share), origin_s=from_s)
            for row, (one,), more, share in zip(rows, greedy, sampled, shares, strict=True)
        ]

    def _sampled(self, session: Session, texts: Sequence[str]) -> list[list[Turn]]:
        if not self.settings.num_samples:
            return [[] for _ in texts]
        return self.backend.sample(session, texts, self.settings.sampled)

    def _shares(self, session: Session, text: str, row: Row) -> list[float]:
        """Probability of each option's letter; only looked at where a choice is made by it or frames are changed."""
        wanted = self.settings.choice_by == "logprob" or self.settings.probes
        if not (wanted and row.options and self.task.spec.answer == "choice"):
            return []
        scores = self.backend.score(session, text, list(LETTERS[: len(row.options)]))
        weights = [math.exp(s - max(scores)) for s in scores]
        return [round(w / sum(weights), 6) for w in weights]

    def _shares_or_failure(self, session: Session, text: str, row: Row) -> list[float] | str:
        """The shares, or why a server's reply tells none."""
        try:
            return self._shares(session, text, row)
        except BadReply as error:
            return str(error)

    def _answer(self, row: Row, probe: str, said: Turn, more: Sequence[Turn], shares: list[float] | str) -> Answer:
        """The answer to a row; where a server's reply was none, the reason, and it is asked again by the next run."""
        failures = [one.failure for one in (said, *more)] + [shares if isinstance(shares, str) else None]
        if failure := next((one for one in failures if one), None):
            return Answer(row.id, probe, error=failure, ask_again=True)
        assert not isinstance(shares, str)
        text, samples = said.text, [one.text for one in more]
        if shares and self.settings.choice_by == "logprob":
            text = LETTERS[int(np.argmax(shares))]
        return Answer(row.id, probe, text, None, samples, shares, said.num_tokens, said.finished)


def changed_clip(clip: Clip, probe: str, other: Clip | None) -> Clip | None:
    """The clip as a probe shows it; None for `other-video` where there is no other."""
    if probe == "reversed":
        return clip.reversed()
    if probe == "shuffled":
        return views.shuffled(clip, np.random.default_rng(clip.num_frames))
    if probe == "static":
        return views.static(clip)
    if probe == "blank":
        return views.blank(clip)
    if probe != "other-video":
        raise UserError(f"unknown probe {probe!r}")
    return None if other is None else views.with_frames_of(clip, _resized(other, clip))


def _resized(clip: Clip, like: Clip) -> Clip:
    """A clip's frames at another clip's size."""
    size = tuple(like.frames.shape[2:])
    frames = torch.nn.functional.interpolate(clip.frames.float(), size, mode="bilinear", antialias=True)
    return replace(clip, frames=frames.round().clamp(0, 255).to(torch.uint8))
