"""The backend that asks a vLLM server which takes clips as they are: its prompts are, token for token, the local ones.

`EndpointBackend` asks any server, with images; this one needs a server that `timeground serve` started, and the
model's folder (or Hub id) to build prompts from.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from timeground.chat.layout import Segment, encode_time
from timeground.chat.prompts import as_texts
from timeground.chat.trajectory import Turn
from timeground.errors import UserError
from timeground.media.clip import Clip
from timeground.media.sampling import Sampling as FrameSampling
from timeground.models.loading import Loaded, load_processor, normalisation
from timeground.models.local.inputs import PromptInputs
from timeground.models.sampling import AnswerTokens, SampleSpec
from timeground.models.served.http import BadReply
from timeground.models.served.openai import EndpointBackend
from timeground.models.served.vllm.media import SentClip, send_clip, shared_folder
from timeground.models.served.vllm.server import VllmServer, readable, sampling_params


@dataclass(frozen=True)
class VllmPrefix:
    """A clip that lies ready for the server; where the video comes first, with its part of the prompt."""

    sent: SentClip
    segments: list[Segment]
    grid_hw: tuple[int, int]
    prompt: PromptInputs | None


class VllmBackend:
    """A model on a vLLM server, asked in token ids."""

    def __init__(self, endpoint: EndpointBackend, loaded: Loaded, shared: Path | None) -> None:
        """endpoint: the connection. loaded: the processor, no weights. shared: a folder that the server reads too."""
        self.name, self.profile, self.family = endpoint.name, endpoint.profile, loaded.family
        self.contents = endpoint.contents
        self.builder, self.shared, self.kept = loaded.builder(), shared, endpoint.kept
        self.pool: ThreadPoolExecutor = endpoint.pool
        http = endpoint.http.at(endpoint.url.removesuffix("/v1"))
        self.server = VllmServer(http, endpoint.model, loaded.family, loaded.processor.tokenizer.decode)

    @classmethod
    def connect(cls, endpoint: EndpointBackend, shared: Path | None = None, check: bool = True) -> VllmBackend:
        """A backend on an endpoint's connection.

        Raises UserError, with the reason, if that server cannot be sent clips as they are: the model's folder is not
        here, its profile asks for another encoding, or (with `check`) a first clip does not become the prompt that we
        expect.
        """
        family = endpoint.family
        if endpoint.folder is None or family is None:
            raise UserError(f"{endpoint.url}: the folder of its model cannot be read from here")
        if reason := family.why_not_native(endpoint.profile):
            raise UserError(f"{endpoint.url}: {reason}")
        processor = load_processor(endpoint.folder)
        loaded = Loaded(None, processor, family, normalisation(processor), endpoint.folder)
        if shared is None and is_here(endpoint.url):
            shared = shared_folder()
        made = cls(endpoint, loaded, shared)
        if check:
            (first,) = made._ask(made.encode(_first_clip(loaded)), "When does it happen?", SampleSpec(max_new_tokens=1))
            if first.failure:
                raise UserError(first.failure)
        return made

    def sampling(self) -> FrameSampling:
        """Which frames of a video the model wants."""
        return self.profile.sampling(self.family.factor)

    def encode(self, clip: Clip) -> VllmPrefix:
        """Put a clip where the server finds it; it is removed again with the prefix."""
        profile = self.profile
        clip, segments = encode_time(clip, profile.time_encoding, profile.stamp)
        grid_hw = self.family.grid_hw(*clip.frames.shape[2:])
        prompt = self.builder.prefix(segments, grid_hw, profile.time_encoding)
        sent = send_clip(clip, prompt, self.family, self.shared)
        prefix = VllmPrefix(sent, segments, grid_hw, None if profile.text_first else prompt)
        weakref.finalize(prefix, sent.remove)
        return prefix

    def sample(self, prefix: VllmPrefix, texts: Sequence[str], spec: SampleSpec | None = None) -> list[list[Turn]]:
        """Return answers to each text; they are asked side by side and share the prefix in the server's cache."""
        wanted = (spec or SampleSpec()).with_room(self.profile.max_new_tokens)
        return list(self.pool.map(lambda text: self._ask(prefix, text, wanted), as_texts(texts)))

    def score(self, prefix: VllmPrefix, text: str, options: Sequence[str]) -> list[float]:
        """Log-probability of each option as the whole answer to a text."""
        ids = self.prompt_ids(prefix, text)
        answers = [self.builder.answer_ids(option) for option in as_texts(options)]
        return list(
            self.pool.map(lambda answer: self.server.score(ids, prefix.sent, answer, self._reply(prefix)), answers)
        )

    def prompt_ids(self, prefix: VllmPrefix, text: str) -> list[int]:
        """Our token ids of a whole prompt."""
        if prefix.prompt is None:
            ids: list[int] = self.builder.text_first(text, prefix.segments, prefix.grid_hw).ids_L.tolist()
            return ids
        question = self.builder.question(text, prefix.prompt.next_position)
        return [*prefix.prompt.ids_L.tolist(), *question.ids_L.tolist()]

    def server_prompt(self, prefix: VllmPrefix, text: str) -> list[int]:
        """The token ids that the server's model sees."""
        sampling = sampling_params(SampleSpec(max_new_tokens=1), AnswerTokens(self.builder.end_id))
        body = self.server.body(self.prompt_ids(prefix, text), prefix.sent, sampling)
        with readable(self.server.http.url):
            ids: list[int] = self._reply(prefix)(body)["prompt_token_ids"]
        return ids

    def _ask(self, prefix: VllmPrefix, text: str, spec: SampleSpec) -> list[Turn]:
        ids = self.prompt_ids(prefix, text)
        try:
            sampling = sampling_params(spec, self.builder.answer_tokens)
            reply = self._reply(prefix)(self.server.body(ids, prefix.sent, sampling))
            self.server.check_prompt(ids, reply)
            return [self.builder.turn(answer, spec) for answer in self.server.answers(reply)]
        except BadReply as error:
            return [Turn.failed(str(error))] * spec.num_answers

    def _reply(self, prefix: VllmPrefix) -> Any:
        """Makes a request, or finds its kept reply; what counts of the media is what is in them, not where they lie."""

        def ask(body: dict[str, Any]) -> dict[str, Any]:
            asked = [self.server.http.url, self.contents, prefix.sent.digest, {**body, "content_parts": None}]
            return self.kept.get(asked, lambda: answered(body))

        def answered(body: dict[str, Any]) -> dict[str, Any]:
            reply = self.server.http.request("POST", "inference/v1/generate", json=body)
            self.server.answers(reply)  # nothing is kept that is no answer
            return reply

        return ask


def is_here(url: str) -> bool:
    """Whether an address is this machine's own."""
    return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")


def _first_clip(loaded: Loaded) -> Clip:
    """Six frames at uneven times, to see whether the server takes them as they are."""
    import torch

    side = 2 * loaded.family.factor
    times_s = torch.tensor([0.04, 0.37, 1.55, 2.05, 3.14, 4.95], dtype=torch.float64)
    frames = torch.arange(6 * 3 * side * side).remainder(251).to(torch.uint8).view(6, 3, side, side)
    return Clip(frames, times_s, 0.0, 5.0, 5.0)
