"""A conversation with a model in this process: what was shown and said is held as keys and values.

Many messages are answered from it in one packed pass; it grows by messages, with frames in them too, and by answers.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from timeground.chat.layout import Segment, TextSegment, encode_time
from timeground.chat.parts import Frames, Message, Role, Text
from timeground.chat.trajectory import Turn
from timeground.errors import UserError
from timeground.media.clip import Clip
from timeground.models.local.inputs import PromptInputs
from timeground.models.local.prefix_cache import PrefixCache
from timeground.models.local.towers import Pixels, VisionFeatures
from timeground.models.sampling import AnswerTokens, SampleSpec

if TYPE_CHECKING:
    from timeground.models.local.backend import LocalBackend


class LocalSession:
    """An opened conversation."""

    def __init__(self, model: LocalBackend, messages: Sequence[Message]) -> None:
        """Read messages. Raises UserError where there is none, or the first one is not the system's or the user's."""
        if not messages or messages[0].role not in ("system", "user"):
            raise UserError("a conversation begins with a message of the system or the user")
        self.model = model
        self.role: Role | None = None
        self.ended = False  # whether the last answer's end token is there already
        self.cache: PrefixCache | None = None
        self.video: _Video | None = None  # where the question goes first, what it goes before
        for message in messages:
            self.extend(message)

    def ask(self, messages: Sequence[Message], spec: SampleSpec | None = None) -> list[list[Turn]]:
        """Return answers to each message, as if it alone followed; the session stays as it is."""
        if not messages:
            return []
        spec, tokens = (spec or SampleSpec()).with_room(self.model.profile.max_new_tokens), self._tokens
        if self.video is not None:
            prompts = (self._prompt(message) for message in messages)
            found = [answers for cache, last in prompts for answers in cache.answer([last], spec, tokens)]
        else:
            found = self._cache.answer([self._question(message) for message in messages], spec, tokens)
        return [[self.model.builder.turn(one, spec) for one in group] for group in found]

    def score(self, messages: Sequence[Message], options: Sequence[Sequence[str]]) -> list[list[float]]:
        """Return the log-probability of each message's options, each as the whole answer to it."""
        scores = []
        for message, texts in zip(messages, options, strict=True):
            cache, question = self._prompt(message)
            scores.append(cache.score(question, [self.model.builder.answer_ids(text) for text in texts]))
        return scores

    def extend(self, message: Message | Turn) -> None:
        """Let a message or an answer be part of the conversation from here on."""
        if isinstance(message, Turn) and message.ids:
            self._extend_by_ids(message)
            return
        message = message.message if isinstance(message, Turn) else message
        if self.model.profile.text_first:
            self.video = self._only_video(message)
            return
        inputs, features = self._lay_out(message)
        self._grow(inputs, features)
        self.role, self.ended = message.role, False

    def fork(self) -> LocalSession:
        """Return a conversation that goes on apart from this one, from what both have."""
        other = copy.copy(self)
        other.cache = self.cache.fork() if self.cache is not None else None
        return other

    def close(self) -> None:
        """Let go of the keys and values."""
        self.cache = None

    @property
    def _cache(self) -> PrefixCache:
        if self.cache is None:
            raise UserError("this conversation is closed")
        return self.cache

    def _grow(self, inputs: PromptInputs, features: VisionFeatures | None) -> None:
        if self.cache is None:
            self.cache = PrefixCache(self.model.loaded.model, inputs, features)
        else:
            self.cache.grow(inputs, features)

    def _extend_by_ids(self, turn: Turn) -> None:
        """An answer's own tokens, which its text might not give again."""
        opening = self.model.builder.texts_and_blocks([TextSegment(self._step("assistant"))], (0, 0), self._position)
        given = self.model.builder.given(turn.ids, opening.next_position)
        self._grow(opening.joined(given), None)
        self.role, self.ended = "assistant", turn.ids[-1] == self.model.builder.end_id

    def _question(self, message: Message) -> PromptInputs:
        """A message up to where its answer begins."""
        if any(isinstance(part, Frames) for part in message.parts):
            raise UserError("frames are shown by `extend` before a question is asked about them")
        text = self._step(message.role) + message.text + self.model.builder.template.between(message.role, "assistant")
        return self.model.builder.texts_and_blocks([TextSegment(text)], (0, 0), self._position)

    def _step(self, role: Role) -> str:
        """The text from what was last said to a message of a role."""
        text = self.model.builder.template.between(self.role, role)
        return text.removeprefix(self.model.loaded.family.end_token) if self.ended else text

    @property
    def _position(self) -> int:
        return self.cache.prompt.next_position if self.cache is not None else 0

    @property
    def _tokens(self) -> AnswerTokens:
        return self.model.builder.answer_tokens

    def _lay_out(self, message: Message) -> tuple[PromptInputs, VisionFeatures | None]:
        """A message's tokens, and the features of its frames."""
        builder, encoding = self.model.builder, self.model.profile.time_encoding
        pieces: list[PromptInputs] = []
        shown: list[Pixels] = []
        pending: list[Segment] = [TextSegment(self._step(message.role))]
        start = self._position
        for part in message.parts:
            if isinstance(part, Text):
                pending.append(TextSegment(part.text))
                continue
            clip, segments = encode_time(part.clip, encoding, self.model.profile.stamp)
            pending += builder.wrapped(segments, encoding)
            pieces.append(builder.texts_and_blocks(pending, self._grid(clip), start))
            pending, start = [], pieces[-1].next_position
            shown.append(self.model.pixels(clip, segments))
        if pending:
            pieces.append(builder.texts_and_blocks(pending, (0, 0), start))
        return reduce(PromptInputs.joined, pieces), self.model.features(shown) if shown else None

    def _grid(self, clip: Clip) -> tuple[int, int]:
        """Patches down and across its frames."""
        return self.model.loaded.family.grid_hw(*clip.frames.shape[2:])

    def _only_video(self, message: Message) -> _Video:
        """What a question goes before, for models that are asked first: one message with one video."""
        parts = message.parts
        if self.video is not None or message.role != "user" or len(parts) != 1 or not isinstance(parts[0], Frames):
            raise UserError("a model that is asked before it is shown the video takes one video and one question")
        profile = self.model.profile
        clip, segments = encode_time(parts[0].clip, profile.time_encoding, profile.stamp)
        return _Video(segments, self._grid(clip), self.model.features([self.model.pixels(clip, segments)]))

    def _prompt(self, message: Message) -> tuple[PrefixCache, PromptInputs]:
        """What a message's answer goes on from: the conversation and the message.

        Where the question stands before the video: a prompt of its own without its last token, and that token.
        """
        if self.video is None:
            return self._cache, self._question(message)
        prompt = self.model.builder.text_first(message.text, self.video.segments, self.video.grid_hw)
        body, last = prompt.split_last()
        return PrefixCache(self.model.loaded.model, body, self.video.features), last


@dataclass(frozen=True)
class _Video:
    """A clip's part of a prompt that is not laid out yet."""

    segments: list[Segment]
    grid_hw: tuple[int, int]
    features: VisionFeatures
