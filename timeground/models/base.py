"""What every model can do: open a conversation, and answer from it.

Local models (`local/`), OpenAI-compatible endpoints and vLLM servers (`served/`) implement it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self

from timeground.chat.parts import Message
from timeground.chat.profile import Profile
from timeground.chat.trajectory import Turn
from timeground.errors import UserError
from timeground.files.content_keys import model_contents
from timeground.media.sampling import Sampling
from timeground.models.sampling import SampleSpec

if TYPE_CHECKING:
    from torch import Tensor

    from timeground.media.clip import Clip


class Session(Protocol):
    """An opened conversation: keys and values here, a list of messages at a server."""

    def ask(self, messages: Sequence[Message], spec: SampleSpec | None = None) -> list[list[Turn]]:
        """Return `spec.num_answers` answers to each message, as if it alone followed; the session stays as it is."""
        ...

    def score(self, messages: Sequence[Message], options: Sequence[Sequence[str]]) -> list[list[float]]:
        """Return the log-probability of each message's options as the answer to it."""
        ...

    def extend(self, message: Message | Turn) -> None:
        """Let a message or an answer be part of the conversation from here on."""
        ...

    def fork(self) -> Self:
        """Return a conversation that goes on apart from this one, from what both have."""
        ...

    def close(self) -> None:
        """Let go of what is held."""
        ...

    @property
    def size_bytes(self) -> int:
        """Return how much memory is held for it here."""
        ...


class Model(ABC):
    """A model that conversations can be opened with, wherever it runs."""

    name: str
    profile: Profile
    contents: Any
    """The identity of the model's files; "" of a server's that cannot be read from here."""

    @property
    def notice(self) -> str | None:
        """Return what a reader of its answers has to know, such as that it saw no times; None where nothing is."""
        return None

    @property
    def sees_no_times(self) -> bool:
        """Return whether nothing in what it is shown tells of time, so that the times that it answers mean nothing."""
        return False

    @property
    def prefix_sharing(self) -> str | None:
        """Return how its questions share a prefix, where that is not the way of our families."""
        return None

    def prompt_text(self, messages: Sequence[Message], question: str) -> str | None:
        """Return what the model reads when a question follows messages, as text; None where that is not known here."""
        return None

    def tools_text(self, tools: Sequence[Any]) -> str:
        """Return the system message by which the model is told of tools.

        Raise UserError where it cannot be: by its chat template, or because it does not run in this process.
        """
        raise UserError(f"{self.name} cannot be told of tools here: that takes a model of our families in this process")

    def frame_scores(self, clip: Clip, queries: Sequence[str]) -> Tensor | None:
        """Return the log odds that each query's event is in each frame pair, ``[queries, pairs]``; None without a head.

        The language model does not run for it.
        """
        return None

    def read_contents(self, name: str) -> Any:
        """Return the identity of the model's files as they are now. name: by which the user opened it."""
        return model_contents(name)

    @abstractmethod
    def sampling(self) -> Sampling:
        """Return which frames of a video the model wants."""

    @abstractmethod
    def open(self, messages: Sequence[Message]) -> Session:
        """Begin a conversation: what it shows is read once, for all that is asked from it."""
