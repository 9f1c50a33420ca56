"""Messages and their parts. Sound, thoughts and tool calls become parts with the features that need them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from timeground.media.clip import Clip
from timeground.media.sampling import Sampling

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True)
class Text:
    """A piece of text."""

    text: str


@dataclass(frozen=True)
class Frames:
    """The frames of a clip, shown at their true times."""

    clip: Clip


Part = Text | Frames


@dataclass(frozen=True)
class Message:
    """One message of a conversation."""

    role: Role
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, role: Role, *parts: Part | Clip | str) -> Message:
        """Return a message of parts; a string is a text, a clip its frames."""
        return cls(role, tuple(_as_part(part) for part in parts))

    @classmethod
    def from_dicts(cls, dicts: Any, sampling: Sampling) -> list[Message]:
        """Return messages of OpenAI's or qwen-vl-utils' dictionaries, their videos and pictures read from disk.

        sampling: which frames of a video the model wants (`Model.sampling`), unless a part says otherwise. Raise
        UserError, which names the message and the part, for what is not understood or cannot be read.
        """
        from timeground.chat.dicts import read_messages

        return read_messages(dicts, sampling)

    @property
    def text(self) -> str:
        """Return its texts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))


def _as_part(part: Part | Clip | str) -> Part:
    if isinstance(part, str):
        return Text(part)
    return Frames(part) if isinstance(part, Clip) else part
