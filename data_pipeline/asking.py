"""Models as the stages ask them, within limits and with tokens counted. Stages reach a model only through this file."""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import Field

from timeground.chat.profile import Profile
from timeground.chat.prompts import as_texts
from timeground.cli.recipes import MethodName, Settings
from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.media.clip import Clip
from timeground.media.sampling import Sampling
from timeground.media.video import Video
from timeground.methods import load_method
from timeground.methods.base import Method, Outcome
from timeground.models.base import Model
from timeground.models.knowledge import warning
from timeground.models.names import is_url
from timeground.models.opening import open_model
from timeground.models.sampling import SampleSpec
from timeground.scoring import ParsedAnswer
from timeground.spans import Span

from .item import RunStopped

UNKNOWN = "?"
"""The answer of a row that the pipeline asks: a question without one is no question for a text."""


class ModelSettings(Settings):
    """A model of a recipe."""

    name: str
    """``tiny``, a Hub id, a folder, or ``http://host:port/v1#name``."""
    method: MethodName = "direct"
    """How it is asked: a name, or ``package.module:Name``."""
    profile: str | None = None
    """Ask it as this known model is asked."""
    overrides: dict[str, Any] = Field(default_factory=dict)
    """Changes to its profile, such as ``{fps: 4}``."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Of the model, such as ``dtype``, or for a server ``concurrency`` and ``cache`` (a folder for answers)."""
    max_requests_per_minute: float | None = Field(None, gt=0)
    """In each worker; it pauses before it sends more."""
    max_tokens: int | None = Field(None, ge=1)
    """The run stops when the model has written more tokens than that in one worker: a limit on cost."""


@dataclass
class StageModel:
    """An opened model, as a stage asks it."""

    model: Model
    settings: ModelSettings
    allow_toy: bool = False
    """Whether it may be shown videos of a kind of which it knows nothing."""
    usage: Counter[str] = field(default_factory=Counter)
    """Answers and the tokens of them; not every server says how many tokens it has read."""
    next_call_s: float = 0.0

    @property
    def profile(self) -> Profile:
        """Return how the model wants to be asked."""
        return self.model.profile

    def sampling(self) -> Sampling:
        """Return which frames it looks at."""
        return self.model.sampling()

    def with_profile(self, **changes: Any) -> StageModel:
        """Return the same weights, asked another way: changes to the profile, such as ``time_encoding`` or ``fps``."""
        changes = {name: value for name, value in changes.items() if value is not None}
        if not changes:
            return self
        other = copy.copy(self.model)
        other.profile = self.profile.with_changes(changes)
        return replace(self, model=other)

    def watch(self, video: Video | Clip, window: Span | None = None) -> Method:
        """Begin to ask about a video, or a window of it: what is read and encoded for one question is there for all.

        Raise RunStopped if the model knows nothing of such videos.
        """
        opened = Video.of(video) if isinstance(video, Clip) else video
        asked = load_method(self.settings.method)(self.model, opened, window)
        told = warning(self.settings.name, self.profile, (asked.clip if asked.looks_once else opened).made_by)
        if told and not self.allow_toy:
            raise RunStopped(refusal(opened.source, told))
        return asked

    def origin_s(self, clip: Clip) -> float:
        """Return the second of the file that the model calls 0 when it is shown this clip."""
        return self.profile.origin_s(clip.start_s)

    def ask(self, asked: Method, rows: Sequence[Row], **request: Any) -> list[list[Outcome]]:
        """Return the outcomes of each row; `request` takes the fields of `SampleSpec`.

        Raise UserError where a server sent no answer, RunStopped at the limit on tokens.
        """
        if not rows:
            return []
        self._wait(len(rows))
        groups = asked.answers(rows, SampleSpec(**request))
        every = [one for group in groups for one in group]
        if failure := next((one.failure for one in every if one.failure), None):
            raise UserError(failure)
        self._count(every)
        return groups

    def answer(self, asked: Method, texts: Sequence[str], **request: Any) -> list[list[Outcome]]:
        """Return the outcomes of questions that are free text."""
        rows = [question(asked, number, text) for number, text in enumerate(as_texts(texts))]
        return self.ask(asked, rows, **request)

    def ground(self, asked: Method, queries: Sequence[str], **request: Any) -> list[list[ParsedAnswer]]:
        """Return when each query happens, as it is said, in seconds of the file."""
        rows = [replace(question(asked, number, None), query=query) for number, query in enumerate(as_texts(queries))]
        return [[one.answer for one in group] for group in self.ask(asked, rows, **request)]

    def _count(self, outcomes: Sequence[Outcome]) -> None:
        """Count what was written; raise RunStopped at the limit."""
        self.usage["answers"] += len(outcomes)
        self.usage["tokens"] += sum(one.num_tokens for one in outcomes)
        limit = self.settings.max_tokens
        if limit is not None and self.usage["tokens"] > limit:
            raise RunStopped(
                f"model {self.settings.name} has written {self.usage['tokens']} tokens, max_tokens is {limit}; "
                "raise it and start again, nothing that is done is lost"
            )

    def _wait(self, num_requests: int) -> None:
        """Keep to the rate limit."""
        rate = self.settings.max_requests_per_minute
        if rate is None:
            return
        now = time.monotonic()
        time.sleep(max(0.0, self.next_call_s - now))
        self.next_call_s = max(now, self.next_call_s) + num_requests * 60 / rate


def question(asked: Method, number: int, text: str | None) -> Row:
    """Return a row that asks a text about the video at hand; without one, a row for a query."""
    answer = UNKNOWN if text else None
    return Row(
        str(number), asked.video.source, asked.video.duration_s, window=asked.window, question=text, answer=answer
    )


def refusal(video: str, warning: str) -> str:
    """Return why a model may not annotate a video."""
    return f"{video}: {warning} (as models.NAME.name), or add --allow-toy-model to annotate with it all the same"


def open_stage_model(settings: ModelSettings, device: str | None, allow_toy: bool = False) -> StageModel:
    """Open a model. Raise RunStopped if it cannot be opened: every video would meet that."""
    options = dict(settings.options)
    if not is_url(settings.name):
        _silence_transformers()
        if device:
            options.setdefault("device", device)
    try:
        model = open_model(settings.name, profile=settings.profile, overrides=settings.overrides, **options)
    except UserError as error:
        raise RunStopped(f"model {settings.name}: {error}") from error
    except TypeError as error:
        raise RunStopped(f"model {settings.name}: options: {error}") from error
    return StageModel(model, settings, allow_toy)


def _silence_transformers() -> None:
    """Keep bars and advice of every worker out of the run's own display."""
    from timeground.models.torchvision_repair import repair_torchvision

    repair_torchvision()
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
