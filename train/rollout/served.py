"""Sampling on a vLLM server beside the trainer: one request gives G answers, and a clip's questions go side by side.

The server's prompt is compared with ours in every reply, and so is the version of the weights that an answer was made
with. A server that dies or hangs is waited for, is given the weights again, and is asked again with the same seeds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from filelock import FileLock

from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.models.sampling import Sampled, SampleSpec
from timeground.models.served.http import ServerGone
from timeground.models.served.openai import EndpointBackend
from timeground.models.served.vllm.backend import is_here
from timeground.models.served.vllm.media import SentClip, send
from timeground.models.served.vllm.server import VllmServer, sampling_params
from timeground.stopwatch import Stopwatch

from ..config import GrpoSettings, RolloutSettings
from ..data.render import ClipRows, Encoder, Example
from .local import Draw, Prompted, Rollout, RolloutEngine
from .weights import Weights

URL = "TIMEGROUND_ROLLOUT_URL"
PAUSE_S = 2.0
"""Between two looks whether a server is back."""


class VllmSampler(RolloutEngine):
    """The engine on a server."""

    def __init__(
        self, weights: Weights, encoder: Encoder, settings: GrpoSettings, watch: Stopwatch | None = None
    ) -> None:
        """Raises UserError if the server is not there, takes no weights, or cannot take clips as the profile asks."""
        super().__init__(encoder, settings.sampling, watch, settings.contrasts)
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
            self._patiently(lambda: None)

    def close(self) -> None:
        """Take the weights out of shared memory."""
        self.clips.shutdown(cancel_futures=True)
        self.requests.shutdown(cancel_futures=True)
        self.weights.remove()

    def start(self, item: ClipRows, seed: Sequence[int]) -> Callable[[], list[Rollout]]:
        """Roll out a clip beside others."""
        return self.clips.submit(self.roll_out, item, seed).result

    def sampled(self, item: ClipRows, draw: Draw) -> list[Prompted]:
        """Return each prompt of a clip with its answers; all questions are asked at once."""
        with self.tokenizing:
            asked = self.encoder.asked(item)
        return [(example, rows, self.trajectories(self._answers(example, rows, item, draw))) for example, rows in asked]

    def _answers(self, example: Example, rows: list[Row], item: ClipRows, draw: Draw) -> list[list[Sampled]]:
        clip = item.clip.thinned() if item.as_images else item.clip.paired()
        sent = send(example.frames, clip.frame_times_s, example.prompt.vision, self.encoder.family, self.shared)
        prompt = example.prompt.ids_L.tolist()
        seeds = np.random.SeedSequence(draw.seed).generate_state(len(rows), np.uint32)
        try:
            return list(
                self.requests.map(
                    lambda question, seed: self._ask([*prompt, *question], sent, draw, int(seed)),
                    [question.ids_L.tolist() for question in example.questions],
                    seeds,
                )
            )
        finally:
            sent.remove()

    def _ask(self, ids: list[int], sent: SentClip, draw: Draw, seed: int) -> list[Sampled]:
        spec = SampleSpec(draw.num_answers, draw.temperature, self.max_new_tokens, seed >> 1)
        sampling = sampling_params(spec, self.encoder.builder.answer_tokens)

        def ask() -> list[Sampled]:
            answers = self.server.generate(ids, sent, sampling, tries=1)
            if any(answer.versions - {self.weights.version} for answer in answers):
                raise ServerGone(f"{self.server.http.url} answered with other weights than those it was sent")
            return answers

        found = self._patiently(ask, restore=False)
        assert found is not None
        return found

    def _patiently(self, ask: Callable[[], list[Sampled] | None], restore: bool = True) -> list[Sampled] | None:
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


def connect(settings: RolloutSettings, encoder: Encoder) -> tuple[VllmServer, bool]:
    """Return the server of a recipe, and whether it is on this machine."""
    url = settings.url or os.environ.get(URL)
    if not url:
        raise UserError(f"rollout.engine is vllm: give rollout.url, or set {URL}, to the address of a server")
    if reason := encoder.family.why_not_native(encoder.profile):
        raise UserError(f"rollout.engine: vllm cannot be used here: {reason}")
    endpoint = EndpointBackend.connect(
        url, profile=None, concurrency=settings.concurrency + 1, timeout_s=settings.timeout_s
    )
    http, tokenizer = endpoint.http.at(endpoint.url.removesuffix("/v1")), encoder.builder.tokenizer
    return VllmServer(http, endpoint.model, encoder.family, tokenizer.decode), is_here(url)
