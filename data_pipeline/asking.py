"""Models as the stages use them: asked within limits, with the tokens counted."""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from timeground.chat.layout import origin_s
from timeground.chat.profile import Profile
from timeground.chat.prompts import as_texts, ground_prompt
from timeground.chat.trajectory import Turn
from timeground.errors import UserError
from timeground.grammar.answers import ParsedSpans, parse_spans
from timeground.media.clip import Clip
from timeground.media.sampling import Sampling
from timeground.models.base import Backend
from timeground.models.knowledge import clip_warning
from timeground.models.opening import is_url, open_backend
from timeground.models.sampling import SampleSpec
from timeground.spans import shifted

from .settings import ModelSettings
from .tools import RunStopped

MAX_TOKENS_TO_LIST = 768
"""Room for an answer that lists events."""


@dataclass(frozen=True)
class Seen:
    """A clip that a model has read. origin_s: the second of the file that it calls 0."""

    prefix: Any
    origin_s: float


@dataclass
class Asked:
    """An opened model. tokens: what it was given to read is not told by every server; what it wrote is counted.

    allow_toy: it may be shown videos of a kind of which it knows nothing.
    """

    backend: Backend
    settings: ModelSettings
    allow_toy: bool = False
    usage: Counter[str] = field(default_factory=Counter)
    next_call_s: float = 0.0

    @property
    def profile(self) -> Profile:
        """How the model wants to be asked."""
        return self.backend.profile

    def sampling(self) -> Sampling:
        """Which frames it looks at."""
        return self.backend.sampling()

    def changed(self, **changes: Any) -> Asked:
        """The same loaded weights, asked another way: changes to the profile, such as ``time_encoding`` or ``fps``."""
        changes = {name: value for name, value in changes.items() if value is not None}
        if not changes:
            return self
        other = copy.copy(self.backend)
        other.profile = self.profile.with_changes(changes)
        return replace(self, backend=other)

    def watch(self, clip: Clip) -> Seen:
        """Encode a clip once, for all that is asked about it. RunStopped if the model knows nothing of such videos."""
        told = clip_warning(self.settings.name, self.profile, clip)
        if told and not self.allow_toy:
            raise RunStopped(refusal(clip.source, told))
        return Seen(self.backend.encode(clip), self.calls_zero_s(clip))

    def calls_zero_s(self, clip: Clip) -> float:
        """The second of the file that the model calls 0, shown this clip."""
        return origin_s(self.profile.time_encoding, clip.start_s)

    def say(self, seen: Seen, texts: Sequence[str], **request: Any) -> list[list[Turn]]:
        """Answers to each text; the fields of `request` are those of `SampleSpec`."""
        texts = as_texts(texts)
        if not texts:
            return []
        self._wait(len(texts))
        found = self.backend.sample(seen.prefix, texts, SampleSpec(**request))
        if failure := next((one.failure for group in found for one in group if one.failure), None):
            raise UserError(failure)
        self.usage["answers"] += sum(len(group) for group in found)
        self.usage["tokens"] += sum(one.num_tokens for group in found for one in group)
        limit = self.settings.max_tokens
        if limit is not None and self.usage["tokens"] > limit:
            raise RunStopped(
                f"model {self.settings.name} has written {self.usage['tokens']} tokens, max_tokens is {limit}; "
                "raise it and start again, nothing that is done is lost"
            )
        return found

    def ground(self, seen: Seen, queries: Sequence[str], **request: Any) -> list[list[ParsedSpans]]:
        """When each query happens, as parsed answers in seconds of the file."""
        queries = as_texts(queries)
        texts = [ground_prompt(self.profile.prompts(), query) for query in queries]
        found = zip(queries, self.say(seen, texts, **request), strict=True)
        parsed = [[parse_spans(one.text, query=query).ordered() for one in group] for query, group in found]
        return [[replace(one, spans=tuple(shifted(one.spans, seen.origin_s))) for one in group] for group in parsed]

    def _wait(self, num_requests: int) -> None:
        """Keep to the rate limit."""
        rate = self.settings.max_requests_per_minute
        if rate is None:
            return
        now = time.monotonic()
        time.sleep(max(0.0, self.next_call_s - now))
        self.next_call_s = max(now, self.next_call_s) + num_requests * 60 / rate


def refusal(video: str, told: str) -> str:
    """Why a model may not annotate a video."""
    return f"{video}: {told} (as models.NAME.name), or add --allow-toy-model to annotate with it all the same"


def open_model(settings: ModelSettings, device: str | None, allow_toy: bool = False) -> Asked:
    """Open a model. Raises RunStopped if it cannot be opened: every video would meet that."""
    options = dict(settings.options)
    if not is_url(settings.name):
        _be_quiet()
        if device:
            options.setdefault("device", device)
    try:
        backend = open_backend(settings.name, profile=settings.profile, overrides=settings.overrides, **options)
    except UserError as error:
        raise RunStopped(f"model {settings.name}: {error}") from error
    except TypeError as error:
        raise RunStopped(f"model {settings.name}: options: {error}") from error
    return Asked(backend, settings, allow_toy)


def _be_quiet() -> None:
    """No bars and advice from every worker in the middle of the run's own display."""
    from timeground.models.torchvision_repair import repair_torchvision

    repair_torchvision()
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
