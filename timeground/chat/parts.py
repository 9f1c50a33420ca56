"""Messages and their parts. Sound, thoughts and tool calls become parts with the features that need them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from timeground.media.clip import Clip

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

    @property
    def text(self) -> str:
        """Its texts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))


def _as_part(part: Part | Clip | str) -> Part:
    if isinstance(part, str):
        return Text(part)
    return Frames(part) if isinstance(part, Clip) else part
