"""What was said in a conversation with a model: turns of tokens, sampled by it or given to it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from timeground.chat.parts import Message

Status = Literal["answered", "cut", "no_answer", "tool_failed"]


@dataclass(frozen=True)
class Turn:
    """A stretch of tokens that was sampled, or given, as one message."""

    message: Message
    ids: tuple[int, ...] = ()
    """Its token ids, with the token that ends it if it came; empty where a server does not tell them."""
    is_sampled: bool = True
    logprobs: tuple[float, ...] | None = None
    """Log-probability of each sampled token; None where it is given or not told."""
    finished: bool = True
    """Return False if it was cut off at the token limit."""
    failure: str | None = None
    """Why there is no answer, where a server sent none that can be read; the text is then empty."""

    @classmethod
    def failed(cls, reason: str) -> Turn:
        """Return the turn of a server that sent no answer."""
        return cls(Message("assistant", ()), failure=reason)

    @property
    def text(self) -> str:
        """Return what it says."""
        return self.message.text

    @property
    def num_tokens(self) -> int:
        """Return how many tokens it has, as far as that is told."""
        return len(self.ids) or len(self.logprobs or ())

    @property
    def mean_logprob(self) -> float | None:
        """Return the mean log-probability of its tokens, as far as they are finite numbers; None where none is told."""
        told = [value for value in self.logprobs or () if math.isfinite(value)]
        return fmean(told) if told else None


@dataclass(frozen=True)
class Trajectory:
    """The turns of one conversation, in order."""

    turns: tuple[Turn, ...]
    status: Status = "answered"

    @property
    def text(self) -> str:
        """Return the text of its last sampled turn; "" where there is none."""
        return next((turn.text for turn in reversed(self.turns) if turn.is_sampled), "")
