"""What every model backend can do: encode a clip once, then answer, sample and score from it.

Local transformers models implement it in `local.py`; an endpoint or vLLM can follow with the same three calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from timeground.chat.profile import Profile
from timeground.chat.trajectory import Turn
from timeground.media.clip import Clip
from timeground.media.sampling import Sampling
from timeground.models.sampling import SampleSpec


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

    def sample(self, prefix: Any, texts: Sequence[str], spec: SampleSpec = ...) -> list[list[Turn]]:
        """Return answers to each text (a question after the video), `spec.num_answers` each."""
        ...

    def score(self, prefix: Any, text: str, options: Sequence[str]) -> list[float]:
        """Log-probability of each option as the answer to a text."""
        ...
