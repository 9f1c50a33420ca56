"""Asking a model the rows of one video: shown once for each way of showing it, all rows from there."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from timeground.chat.prompts import LETTERS
from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.media import views
from timeground.media.clip import Clip
from timeground.media.sampling import Sampling
from timeground.media.video import Video
from timeground.methods import load_method
from timeground.methods.base import Method, Outcome
from timeground.models.base import Model
from timeground.models.served.http import BadReply
from timeground.scoring import ParsedAnswer
from timeground.stopwatch import Stopwatch

from ..tasks import Task
from .answers import CLEAN, Answer, Said
from .settings import RunSettings

GLANCE = Sampling(max_frames=2, min_frames=2)


@dataclass
class Asker:
    """Asks rows about videos."""

    model: Model
    task: Task
    settings: RunSettings
    clock: Stopwatch
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each row was worked at: its share of what its video took, unchanged frames and greedy answers only."""

    @property
    def sampling(self) -> Sampling:
        """Return which frames are read ahead: those that the model is shown, or two where a method reads its own.

        Two tell already whether the file and the window can be read.
        """
        looks_once = load_method(self.settings.method).looks_once
        return self.model.sampling() if looks_once or self.settings.probes else GLANCE

    def count_seconds(self, rows: Sequence[Row], seconds: float) -> None:
        """Add each row's share of what its video took."""
        for row in rows:
            self.seconds[row.id] = self.seconds.get(row.id, 0.0) + seconds / len(rows)

    def answers(self, video: Video, rows: Sequence[Row], other: Clip | None = None) -> list[Answer]:
        """Return a reply to each row, then one for each probe; other: the clip that `other-video` shows."""
        found = self._asked(video, rows, CLEAN)
        for probe in self.settings.probes:
            clip = video.part(rows[0].window, self.model.sampling())
            changed = changed_clip(clip, probe, other)
            if changed is not None:
                found += self._asked(Video.of(changed), rows, probe)
        return found

    def _asked(self, video: Video, rows: Sequence[Row], probe: str) -> list[Answer]:
        prompts = self.model.profile.prompts()
        for row in rows:
            self.task.prompt(row, prompts)  # a row that cannot be asked is told before the model works
        make, began = load_method(self.settings.method), time.perf_counter()
        with self.clock.on("encode"):
            method = make(self.model, video, rows[0].window, self.task.wording(prompts))
        with method, self.clock.on("generate"):
            greedy = method.answers(rows, self.settings.greedy)
            if probe == CLEAN:
                self.count_seconds(rows, time.perf_counter() - began)
            wanted = self.settings.num_samples and probe == CLEAN
            sampled = method.answers(rows, self.settings.sampled) if wanted else [[] for _ in rows]
            shares = [self._shares_or_failure(method, row) for row in rows]
        return [
            self._answer(row, probe, one, more, share)
            for row, (one,), more, share in zip(rows, greedy, sampled, shares, strict=True)
        ]

    def _shares(self, method: Method, row: Row) -> list[float]:
        """Return the probability of each option's letter, which is told only where it chooses or frames are changed."""
        wanted = self.settings.choice_by == "logprob" or self.settings.probes
        if not (wanted and row.options and self.task.spec.answer == "choice"):
            return []
        (scores,) = method.scores([row], [list(LETTERS[: len(row.options)])])
        weights = [math.exp(s - max(scores)) for s in scores]
        return [round(w / sum(weights), 6) for w in weights]

    def _shares_or_failure(self, method: Method, row: Row) -> list[float] | str:
        """Return the shares, or why a server's reply tells none."""
        try:
            return self._shares(method, row)
        except BadReply as error:
            return str(error)

    def _answer(
        self, row: Row, probe: str, outcome: Outcome, more: Sequence[Outcome], shares: list[float] | str
    ) -> Answer:
        """Return the answer to a row; where a server's reply was none, the reason, and the next run asks it again."""
        failures = [one.failure for one in (outcome, *more)] + [shares if isinstance(shares, str) else None]
        if failure := next((one for one in failures if one), None):
            return Answer(row.id, probe, error=failure, ask_again=True)
        assert not isinstance(shares, str)
        if shares and self.settings.choice_by == "logprob":
            letter = LETTERS[int(np.argmax(shares))]
            outcome = replace(outcome, answer=ParsedAnswer(letter, option=letter, rule="likeliest letter"))
        return Answer(
            row.id,
            probe,
            Said.of(outcome),
            samples=[Said.of(one) for one in more],
            shares=shares,
            tokens=outcome.num_tokens,
            finished=outcome.finished,
            trace=_rounded(outcome.trace.to_json()),
        )


def _rounded(told: Any) -> Any:
    """Return plain data with six decimals: what is behind them is others on another number of threads."""
    if isinstance(told, dict):
        return {key: _rounded(value) for key, value in told.items()}
    if isinstance(told, list):
        return [_rounded(value) for value in told]
    return round(told, 6) if isinstance(told, float) else told


def changed_clip(clip: Clip, probe: str, other: Clip | None) -> Clip | None:
    """Return the clip as a probe shows it; None for `other-video` where there is no other."""
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
    """Return a clip's frames at another clip's size."""
    size = tuple(like.frames.shape[2:])
    frames = torch.nn.functional.interpolate(clip.frames.float(), size, mode="bilinear", antialias=True)
    return replace(clip, frames=frames.round().clamp(0, 255).to(torch.uint8))
