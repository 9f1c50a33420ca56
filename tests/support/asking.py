"""Models asked about a clip in texts, as tests do it."""

from __future__ import annotations

from timeground.chat.parts import Message
from timeground.chat.trajectory import Turn
from timeground.media.clip import Clip
from timeground.models.base import Model, Session
from timeground.models.sampling import SampleSpec


def show(model: Model, clip: Clip) -> Session:
    """A conversation that begins with a clip."""
    return model.open([Message.of("user", clip)])


def ask(session: Session, texts: list[str], spec: SampleSpec | None = None) -> list[list[Turn]]:
    """The answers to each text."""
    return session.ask([Message.of("user", text) for text in texts], spec)


def option_scores(session: Session, text: str, options: list[str]) -> list[float]:
    """The log-probability of each option as the answer to a text."""
    return session.score([Message.of("user", text)], [options])[0]
