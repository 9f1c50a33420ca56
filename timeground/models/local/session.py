"""A conversation with a model in this process: what was shown and said is held as keys and values.

Many messages are answered from it in one packed pass; it grows by messages, with frames in them too, and by answers.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from timeground.chat.parts import Message
from timeground.chat.trajectory import Turn
from timeground.errors import UserError
from timeground.models.inputs import PromptInputs
from timeground.models.local.prefix_cache import PrefixCache
from timeground.models.local.towers import VisionFeatures
from timeground.models.sampling import SampleSpec
from timeground.models.transcript import Laid, Shown, Transcript, joined

if TYPE_CHECKING:
    from timeground.models.local.model import LocalModel


class LocalSession:
    """An opened conversation."""

    def __init__(self, model: LocalModel, messages: Sequence[Message]) -> None:
        """Read messages. Raise UserError where the first one is not the system's or the user's."""
        self.model = model
        self.transcript = Transcript(model.builder, model.profile)
        self.cache: PrefixCache | None = None
        self.video: _Video | None = None  # where the question goes first, what it goes before
        for message in messages:
            self.extend(message)

    def ask(self, messages: Sequence[Message], spec: SampleSpec | None = None) -> list[list[Turn]]:
        """Return answers to each message, as if it alone followed; the session stays as it is."""
        if not messages:
            return []
        spec, tokens = (
            (spec or SampleSpec()).with_room(self.model.profile.max_new_tokens),
            self.model.builder.answer_tokens,
        )
        if self.video is not None:
            prompts = (self._asked_first(message) for message in messages)
            found = [answers for cache, last in prompts for answers in cache.answer([last], spec, tokens)]
        else:
            questions = [self.transcript.question(message) for message in messages]
            found = self._opened.answer(questions, spec, tokens)
        return [[self.model.builder.turn(one, spec) for one in group] for group in found]

    def score(self, messages: Sequence[Message], options: Sequence[Sequence[str]]) -> list[list[float]]:
        """Return the log-probability of each message's options, each as the whole answer to it."""
        ids = [[self.model.builder.answer_ids(text) for text in texts] for texts in options]
        if self.video is None:
            return self._opened.score([self.transcript.question(message) for message in messages], ids)
        prompts = (self._asked_first(message) for message in messages)
        return [cache.score([last], [one])[0] for (cache, last), one in zip(prompts, ids, strict=True)]

    def extend(self, message: Message | Turn) -> None:
        """Let a message or an answer be part of the conversation from here on."""
        if self.model.profile.text_first:
            shown = self.transcript.only_video(message.message if isinstance(message, Turn) else message)
            self.video = _Video(shown, self.model.features([shown]))
            return
        laid = self.transcript.add(message)
        self._grow(laid)

    def fork(self) -> Self:
        """Return a conversation that goes on apart from this one, from what both have."""
        other = copy.copy(self)
        other.transcript = copy.copy(self.transcript)
        other.cache = self.cache.fork() if self.cache is not None else None
        return other

    def close(self) -> None:
        """Let go of what is held."""
        self.cache = self.video = None

    @property
    def size_bytes(self) -> int:
        """Return how much memory its keys, values and states take."""
        return self.cache.cache.nbytes if self.cache is not None else 0

    @property
    def _opened(self) -> PrefixCache:
        if self.cache is None:
            raise UserError("this conversation is closed, or nothing was said in it yet")
        return self.cache

    def _grow(self, laid: Sequence[Laid]) -> None:
        shown = [piece.shown for piece in laid if piece.shown is not None]
        features = self.model.features(shown) if shown else None
        if self.cache is None:
            self.cache = self.model.prefill(joined(laid), features)
        else:
            self.cache.grow(joined(laid), features)

    def _asked_first(self, message: Message) -> tuple[PrefixCache, PromptInputs]:
        """Return a prompt whose question stands before the video, all but its last token, and that token."""
        assert self.video is not None
        body, last = self.transcript.asked_first(message, self.video.shown).split_last()
        return self.model.prefill(body, self.video.features), last


@dataclass(frozen=True)
class _Video:
    """A clip that is not in a prompt yet."""

    shown: Shown
    features: VisionFeatures
