"""Sampling on a vLLM server beside the trainer: one request gives G answers, and a clip's questions go side by side.

The server's prompt is compared with ours in every reply, and so is the version of the weights that an answer was made
with. A server that dies or hangs is waited for, is given the weights again, and is asked again with the same seeds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
from filelock import FileLock

from timeground.chat.parts import Message
from timeground.chat.profile import Profile
from timeground.chat.trajectory import Turn
from timeground.errors import UserError
from timeground.media.sampling import Sampling as FrameSampling
from timeground.methods import load_method
from timeground.models.sampling import Sampled, SampleSpec
from timeground.models.served.http import ServerGone
from timeground.models.served.openai import EndpointModel
from timeground.models.served.vllm.model import VllmModel, is_here
from timeground.models.served.vllm.server import VllmServer, sampling_params
from timeground.models.served.vllm.session import VllmSession
from timeground.stopwatch import Stopwatch

from ..config import GrpoSettings, RolloutSettings
from ..data.render import ClipRows, Encoder
from .engine import Draw, Policy, Rollout, RolloutEngine
from .weights import Weights

URL = "TIMEGROUND_ROLLOUT_URL"
PAUSE_S = 2.0
"""Between two looks whether a server is back."""


class VllmSampler(RolloutEngine):
    """The engine on a server."""

    def __init__(
        self, weights: Weights, encoder: Encoder, settings: GrpoSettings, watch: Stopwatch | None = None
    ) -> None:
        """Raise UserError if the server is not there, takes no weights, or cannot take clips as the profile asks."""
        super().__init__(encoder, settings.sampling, watch, settings.contrasts, load_method(settings.method))
        self.weights, self.rollout = weights, settings.rollout
        self.server, here = connect(settings.rollout, encoder)
        lora = settings.model.lora
        self.server.check_training(settings.sampling.temperature, lora.rank if lora else 0)
        self.shared = weights.folder if here or settings.rollout.shared_folder else None
        self.clips = ThreadPoolExecutor(settings.rollout.concurrency)
        self.requests = ThreadPoolExecutor(settings.rollout.concurrency)

    def refresh(self) -> None:
        """Send the policy as it now is; the first process does it, the others find out in what they are answered."""
        self.weights.write()
        if self.weights.rank == 0:
            self.patiently(lambda: None)

    def close(self) -> None:
        """Take the weights out of shared memory."""
        self.clips.shutdown(cancel_futures=True)
        self.requests.shutdown(cancel_futures=True)
        self.weights.remove()

    def start(self, item: ClipRows, seed: Sequence[int]) -> Callable[[], list[Rollout]]:
        """Roll out a clip beside others."""
        return self.clips.submit(self.roll_out, item, seed).result

    def policy(self, item: ClipRows, draw: Draw) -> ServedPolicy:
        """Return the policy on the server; all questions are asked at once."""
        return ServedPolicy(self, self.encoder.shown_as(item))

    def patiently(self, ask: Callable[[], list[Sampled] | None], restore: bool = True) -> list[Sampled] | None:
        """Return what `ask` gives, asked again while the recipe's patience lasts; weights are sent where needed."""
        began: float | None = None
        while True:
            try:
                if restore:
                    self._restore()
                return ask()
            except ServerGone as error:
                began = began or time.monotonic()
                if time.monotonic() - began > self.rollout.patience_s:
                    raise ServerGone(
                        f"{error}; it stayed away for {self.rollout.patience_s:g} s (rollout.patience_s)"
                    ) from None
            restore = True
            time.sleep(PAUSE_S)

    def _restore(self) -> None:
        """See to it that the server has the weights of this step; one process at a time."""
        with FileLock(self.weights.lock):
            if self.server.version() != self.weights.version:
                self.weights.give(self.server)


class ServedPolicy(Policy, VllmModel):
    """The policy on the server, as a method asks it."""

    name, contents = "policy", ""

    def __init__(self, engine: VllmSampler, profile: Profile) -> None:
        self.engine, self.profile = engine, profile
        self.server, self.shared, self.pool = engine.server, engine.shared, engine.requests
        self.builder = engine.encoder.builder

    def sampling(self) -> FrameSampling:
        """Return which frames of a video the model wants."""
        return self.profile.sampling(self.engine.encoder.family.factor)

    def open(self, messages: Sequence[Message]) -> PatientSession:
        """Begin a conversation."""
        with self.engine.tokenizing:
            return PatientSession(self, messages)

    def made_of(self, opening: Message, question: Message) -> dict[str, Any]:
        """Return nothing: the trainer makes it all anew."""
        return {}


class PatientSession(VllmSession):
    """A conversation with the policy: a server that is gone is waited for, and gets the weights again."""

    model: ServedPolicy

    def ask(self, messages: Sequence[Message], spec: SampleSpec | None = None) -> list[list[Turn]]:
        """Return answers to each message, each drawn by a seed of its own."""
        assert spec is not None
        seeds = np.random.SeedSequence(spec.seed).generate_state(len(messages), np.uint32)
        specs = [replace(spec, seed=int(seed) >> 1) for seed in seeds]
        return list(self.model.pool.map(self._answers, messages, specs))

    def _answers(self, message: Message, spec: SampleSpec) -> list[Turn]:
        engine = self.model.engine
        with engine.tokenizing:
            ids, placed = self._prompt(message)
            body = self._body(placed, sampling_params(spec, self.model.builder.answer_tokens))

        def ask() -> list[Sampled]:
            answers = engine.server.generate(ids, body, tries=1)
            if any(answer.versions - {engine.weights.version} for answer in answers):
                raise ServerGone(f"{engine.server.http.url} answered with other weights than those it was sent")
            return answers

        found = engine.patiently(ask, restore=False)
        assert found is not None
        with engine.tokenizing:
            return [self.model.builder.turn(answer, SampleSpec()) for answer in found]


def connect(settings: RolloutSettings, encoder: Encoder) -> tuple[VllmServer, bool]:
    """Return the server of a recipe, and whether it is on this machine."""
    url = settings.url or os.environ.get(URL)
    if not url:
        raise UserError(f"rollout.engine is vllm: give rollout.url, or set {URL}, to the address of a server")
    if reason := encoder.family.why_not_native(encoder.profile):
        raise UserError(f"rollout.engine: vllm cannot be used here: {reason}")
    endpoint = EndpointModel.connect(
        url, profile=None, concurrency=settings.concurrency + 1, timeout_s=settings.timeout_s
    )
    http, tokenizer = endpoint.http.at(endpoint.url.removesuffix("/v1")), encoder.builder.tokenizer
    return VllmServer(http, endpoint.model_id, encoder.family, tokenizer.decode), is_here(url)
