"""A conversation with any model: a list of messages; what all questions share is read once and kept."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from timeground.chat.parts import Frames, Message
from timeground.chat.trajectory import Turn
from timeground.errors import UserError
from timeground.models.generic.prefix import SharedPrefix
from timeground.models.generic.prompts import Head
from timeground.models.sampling import Sampled, SampleSpec

if TYPE_CHECKING:
    from timeground.models.generic.model import GenericModel


@dataclass(frozen=True)
class _Read:
    """What was read of a conversation."""

    head: Head
    prefix: SharedPrefix


class GenericSession:
    """An opened conversation."""

    def __init__(self, model: GenericModel, messages: Sequence[Message]) -> None:
        """Read messages. Raise UserError where the first one is not the system's or the user's."""
        self.model, self.profile = model, model.profile
        self.messages: tuple[Message, ...] = ()
        self.read: _Read | None = None
        for message in messages:
            self.extend(message)
        if self.messages and not self.profile.text_first:
            _ = self._opened

    def ask(self, messages: Sequence[Message], spec: SampleSpec | None = None) -> list[list[Turn]]:
        """Return answers to each message, as if it alone followed; the session stays as it is."""
        spec = (spec or SampleSpec()).with_room(self.profile.max_new_tokens)
        return [self._answers(message, spec) for message in messages]

    def score(self, messages: Sequence[Message], options: Sequence[Sequence[str]]) -> list[list[float]]:
        """Return the log-probability of each message's options, each as the whole answer to it."""
        found = []
        for message, texts in zip(messages, options, strict=True):
            prefix, tail = self._asked(message)
            found.append(prefix.score(tail, [self.model.writer.answer_ids(text) for text in texts]))
        return found

    def extend(self, message: Message | Turn) -> None:
        """Let a message or an answer be part of the conversation from here on."""
        message = message.message if isinstance(message, Turn) else message
        if not self.messages and message.role not in ("system", "user"):
            raise UserError("a conversation begins with a message of the system or the user")
        self.messages, self.read = (*self.messages, message), None

    def fork(self) -> GenericSession:
        """Return a conversation that goes on apart from this one; what was read is shared, and never changed."""
        return copy.copy(self)

    def close(self) -> None:
        """Let go of what is held."""
        self.messages, self.read = (), None

    @property
    def size_bytes(self) -> int:
        """Return how much memory its cache takes."""
        return self.read.prefix.size_bytes if self.read is not None else 0

    @property
    def _opened(self) -> _Read:
        if not self.messages:
            raise UserError("this conversation is closed, or nothing was said in it yet")
        if self.read is None:
            head = self.model.writer.head(self.messages, self.profile)
            self.model.check_length(len(head.ids_L) + self.profile.max_new_tokens)
            self.read = _Read(head, SharedPrefix(self.model.runner, head.inputs, self.model.sharing))
        return self.read

    def _answers(self, message: Message, spec: SampleSpec) -> list[Turn]:
        prefix, tail = self._asked(message)
        writer = self.model.writer
        found = prefix.answer(tail, spec, writer.end_ids, sorted(writer.media_ids), self._decoded)
        return [self._turn(one, spec) for one in found]

    def _asked(self, message: Message) -> tuple[SharedPrefix, list[int]]:
        """Return what a question goes on from, and its tokens."""
        if any(isinstance(part, Frames) for part in message.parts):
            raise UserError("frames are shown by `extend` before a question is asked about them")
        if message.role != "user":
            raise UserError(f"{self.model.name} is asked by the user; this message is of the {message.role}")
        if self.profile.text_first:
            return self._asked_first(message)
        read = self._opened
        return read.prefix, self.model.writer.tail(read.head, message.text)

    def _asked_first(self, message: Message) -> tuple[SharedPrefix, list[int]]:
        """Return a prompt of its own for a question that stands before the video: all but its last token, and that."""
        made = self.model.writer.whole(self.messages, message.text, self.profile)
        length = made["input_ids"].shape[1]
        body: dict[str, Any] = {
            key: value[:, :-1] if getattr(value, "shape", None) == (1, length) else value for key, value in made.items()
        }
        return SharedPrefix(self.model.runner, body, self.model.sharing), [int(made["input_ids"][0, -1])]

    def _decoded(self, ids: Sequence[int]) -> str:
        return str(self.model.writer.tokenizer.decode(list(ids), skip_special_tokens=True))

    def _turn(self, sampled: Sampled, spec: SampleSpec) -> Turn:
        """Return sampled tokens as a turn: their text without the end token and the stop text."""
        ended = bool(sampled.ids) and sampled.ids[-1] in self.model.writer.end_ids
        text = spec.cut(self._decoded(sampled.ids[:-1] if ended else sampled.ids)).strip()
        return Turn(
            Message.of("assistant", text),
            tuple(sampled.ids),
            logprobs=tuple(sampled.logprobs),
            finished=sampled.stopped or ended,
        )
