"""A conversation as token ids: the one place where messages become a model's input, here and on a server."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from timeground.chat.layout import Segment, TextSegment
from timeground.chat.parts import Frames, Message, Role, Text
from timeground.chat.profile import Profile
from timeground.chat.trajectory import Turn
from timeground.errors import UserError
from timeground.media.clip import Clip
from timeground.models.inputs import PromptBuilder, PromptInputs


@dataclass(frozen=True)
class Shown:
    """A clip as a message shows it."""

    clip: Clip
    """Its frames as they are fed: paired, with the time drawn on them where that is asked for."""
    segments: list[Segment]
    """Its part of the prompt."""


@dataclass(frozen=True)
class Laid:
    """One piece of a message: tokens with at most one clip in them."""

    inputs: PromptInputs
    shown: Shown | None = None
    is_sampled: bool = False
    """Whether these are the tokens that the model sampled."""


class Transcript:
    """What was said so far, as far as what follows depends on it."""

    def __init__(self, builder: PromptBuilder, profile: Profile) -> None:
        """Begin with nothing. builder: of the checkpoint. profile: how clips are shown."""
        self.builder, self.profile = builder, profile
        self.role: Role | None = None
        self.position = 0
        self.ended = False  # whether the last answer's end token is there already

    def add(self, message: Message | Turn) -> list[Laid]:
        """Return the pieces of a message (or of an answer's own tokens), and go on from behind it.

        Raise UserError where the conversation cannot begin so, or the chat template refuses it.
        """
        role = message.message.role if isinstance(message, Turn) else message.role
        if self.role is None and role not in ("system", "user"):
            raise UserError("a conversation begins with a message of the system or the user")
        if isinstance(message, Turn) and message.ids:
            laid = self._by_ids(message)
        else:
            laid = self._by_parts(message.message if isinstance(message, Turn) else message)
        self.role, self.position = role, laid[-1].inputs.next_position
        self.ended = isinstance(message, Turn) and message.ids[-1:] == (self.builder.end_id,)
        return laid

    def question(self, message: Message) -> PromptInputs:
        """Return a message up to where its answer begins; nothing goes on from behind it."""
        if any(isinstance(part, Frames) for part in message.parts):
            raise UserError("frames are shown by `extend` before a question is asked about them")
        text = self._step(message.role) + message.text + self.builder.template.between(message.role, "assistant")
        return self._texts([TextSegment(text)], self.position)

    def answering(self, question: PromptInputs) -> Transcript:
        """Return another that goes on behind a question, where its answer begins."""
        other = copy.copy(self)
        other.role, other.position, other.ended = "assistant", question.next_position, False
        return other

    def asked_first(self, message: Message, shown: Shown) -> PromptInputs:
        """Return a whole prompt whose question stands before the video (ArrowGEV, Time-R1)."""
        return self.builder.text_first(message.text, shown.segments, self._grid(shown.clip))

    def only_video(self, message: Message) -> Shown:
        """Return the one clip of a message, for a model that is asked before it is shown the video."""
        parts = message.parts
        if self.role is not None or message.role != "user" or len(parts) != 1 or not isinstance(parts[0], Frames):
            raise UserError("a model that is asked before it is shown the video takes one video and one question")
        self.role = "user"
        return self._shown(parts[0].clip)

    def _by_ids(self, turn: Turn) -> list[Laid]:
        """Return what leads to an answer, and the answer's own tokens, which its text might not give again."""
        opening = self._texts([TextSegment(self._step(turn.message.role))], self.position)
        return [Laid(opening), Laid(PromptInputs.following(turn.ids, opening.next_position), None, turn.is_sampled)]

    def _by_parts(self, message: Message) -> list[Laid]:
        laid: list[Laid] = []
        pending: list[Segment] = [TextSegment(self._step(message.role))]
        start = self.position
        for part in message.parts:
            if isinstance(part, Text):
                pending.append(TextSegment(part.text))
                continue
            shown = self._shown(part.clip)
            pending += self.builder.wrapped(shown.segments, self.profile.time_encoding)
            laid.append(Laid(self.builder.lay_out(pending, self._grid(shown.clip), start), shown))
            pending, start = [], laid[-1].inputs.next_position
        if pending:
            laid.append(Laid(self._texts(pending, start)))
        return laid

    def _shown(self, clip: Clip) -> Shown:
        return Shown(*self.profile.encode(clip))

    def _step(self, role: Role) -> str:
        """Return the text from what was last said to a message of a role."""
        text = self.builder.template.between(self.role, role)
        return text.removeprefix(self.builder.family.end_token) if self.ended else text

    def _texts(self, segments: Sequence[Segment], start: int) -> PromptInputs:
        return self.builder.lay_out(segments, (0, 0), start)

    def _grid(self, clip: Clip) -> tuple[int, int]:
        """Return the patches down and across its frames."""
        return self.builder.family.grid_hw(*clip.frames.shape[2:])


def joined(laid: Sequence[Laid]) -> PromptInputs:
    """Return the tokens of a message's pieces as one."""
    return reduce(PromptInputs.joined, (piece.inputs for piece in laid))
