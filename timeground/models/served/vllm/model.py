"""A model at a vLLM server that takes clips as they are: its prompts are, token for token, the local ones.

`EndpointModel` asks any server, with images; this one needs a server that `timeground serve` started, and the
model's folder (or Hub id) to build prompts from.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from timeground.chat.parts import Message
from timeground.errors import UserError
from timeground.media.clip import Clip
from timeground.media.sampling import Sampling as FrameSampling
from timeground.models.base import Model
from timeground.models.checkpoint import Checkpoint
from timeground.models.sampling import SampleSpec
from timeground.models.served.openai import EndpointModel
from timeground.models.served.vllm.media import shared_folder
from timeground.models.served.vllm.server import VllmServer
from timeground.models.served.vllm.session import VllmSession


class VllmModel(Model):
    """A model on a vLLM server, asked in token ids."""

    def __init__(self, endpoint: EndpointModel, checkpoint: Checkpoint, shared: Path | None) -> None:
        """Use a connection, `endpoint`. checkpoint: of its model. shared: a folder that the server reads too."""
        self.name, self.checkpoint, self.profile = endpoint.name, checkpoint, checkpoint.profile
        self.contents = endpoint.contents
        self.builder, self.shared, self.kept = checkpoint.builder, shared, endpoint.kept
        self.pool: ThreadPoolExecutor = endpoint.pool
        http = endpoint.http.at(endpoint.url.removesuffix("/v1"))
        self.server = VllmServer(http, endpoint.model_id, checkpoint.family, checkpoint.processor.tokenizer.decode)

    @classmethod
    def connect(cls, endpoint: EndpointModel, shared: Path | None = None, check: bool = True) -> VllmModel:
        """Return a model on an endpoint's connection.

        Raise UserError, with the reason, if that server cannot be sent clips as they are: the model's folder is not
        here, its profile asks for another encoding, or (with `check`) a first clip does not become the prompt that we
        expect.
        """
        checkpoint = endpoint.checkpoint
        if checkpoint is None:
            raise UserError(f"{endpoint.url}: the folder of its model cannot be read from here")
        if reason := checkpoint.family.why_not_native(checkpoint.profile):
            raise UserError(f"{endpoint.url}: {reason}")
        if shared is None and is_here(endpoint.url):
            shared = shared_folder()
        made = cls(endpoint, checkpoint, shared)
        if check:
            session = made.open([Message.of("user", _first_clip(checkpoint.family.factor))])
            ((first,),) = session.ask([Message.of("user", "When does it happen?")], SampleSpec(max_new_tokens=1))
            if first.failure:
                raise UserError(first.failure)
        return made

    def sampling(self) -> FrameSampling:
        """Return which frames of a video the model wants."""
        return self.checkpoint.sampling

    def open(self, messages: Sequence[Message]) -> VllmSession:
        """Begin a conversation."""
        return VllmSession(self, messages)


def is_here(url: str) -> bool:
    """Return whether an address is this machine's own."""
    return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")


def _first_clip(factor: int) -> Clip:
    """Return six frames at uneven times, to see whether the server takes them as they are."""
    import torch

    side = 2 * factor
    times_s = torch.tensor([0.04, 0.37, 1.55, 2.05, 3.14, 4.95], dtype=torch.float64)
    frames = torch.arange(6 * 3 * side * side).remainder(251).to(torch.uint8).view(6, 3, side, side)
    return Clip(frames, times_s, 0.0, 5.0, 5.0)
