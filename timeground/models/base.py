"""What every model backend can do: encode a clip once, then answer, sample and score from it.

Local transformers models implement it in `local.py`; an endpoint or vLLM can follow with the same three calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from timeground.chat.profile import Profile
from timeground.media.clip import Clip
from timeground.media.sampling import Sampling


@dataclass(frozen=True)
class Completion:
    """One answer of a model.

    mean_logprob: mean log-probability of its tokens at temperature 1, None where the backend cannot tell.
    finished: False if it was cut off at the token limit.
    failure: why there is no answer, where a server sent none that can be read; the text is then empty.
    """

    text: str
    num_tokens: int
    mean_logprob: float | None = None
    finished: bool = True
    failure: str | None = None


@dataclass(frozen=True)
class Request:
    """How to sample: `num_answers` to each question, greedy at temperature 0."""

    num_answers: int = 1
    temperature: float = 0.0
    max_new_tokens: int | None = None
    seed: int = 0


class Backend(Protocol):
    """A model that grounds. `encode` returns something that only the same backend understands."""

    name: str
    profile: Profile

    @property
    def contents(self) -> str:
        """The identity of the model's files; "" of a server's that cannot be read from here."""
        ...

    def sampling(self) -> Sampling:
        """Which frames of a video the model wants."""
        ...

    def encode(self, clip: Clip) -> Any:
        """Read a clip once; every later call on the result shares that work."""
        ...

    def sample(self, prefix: Any, texts: Sequence[str], request: Request = ...) -> list[list[Completion]]:
        """Answers to each text (a question after the video), `request.num_answers` each."""
        ...

    def score(self, prefix: Any, text: str, options: Sequence[str]) -> list[float]:
        """Log-probability of each option as the answer to a text."""
        ...
