"""A conversation with a vLLM server: our token ids, and the clips in them, sent whole with each question.

The server computes what it has seen before from its prefix cache.
"""

from __future__ import annotations

import copy
import hashlib
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from timeground.chat.parts import Message
from timeground.chat.trajectory import Turn
from timeground.models.sampling import AnswerTokens, SampleSpec
from timeground.models.served.http import BadReply
from timeground.models.served.vllm.media import SentClip, send_clip
from timeground.models.served.vllm.server import readable, sampling_params
from timeground.models.transcript import Shown, Transcript

if TYPE_CHECKING:
    from timeground.models.served.vllm.model import VllmModel


class VllmSession:
    """An opened conversation."""

    def __init__(self, model: VllmModel, messages: Sequence[Message]) -> None:
        """Read messages, and put their clips where the server finds them; they are removed with the session."""
        self.model = model
        self.transcript = Transcript(model.builder, model.profile)
        self.ids: list[int] = []
        self.placed: list[int] = []  # the same with one visual token for each clip
        self.sent: list[SentClip] = []
        self.video: Shown | None = None  # where the question goes first, what it goes before
        for message in messages:
            self.extend(message)

    def ask(self, messages: Sequence[Message], spec: SampleSpec | None = None) -> list[list[Turn]]:
        """Return answers to each message, as if it alone followed; they are asked side by side."""
        wanted = (spec or SampleSpec()).with_room(self.model.profile.max_new_tokens)
        return list(self.model.pool.map(lambda message: self._answers(message, wanted), messages))

    def score(self, messages: Sequence[Message], options: Sequence[Sequence[str]]) -> list[list[float]]:
        """Return the log-probability of each message's options, each as the whole answer to it."""
        pairs = [(message, text) for message, texts in zip(messages, options, strict=True) for text in texts]
        found = iter(list(self.model.pool.map(self._score, *zip(*pairs, strict=True)))) if pairs else iter(())
        return [[next(found) for _ in texts] for texts in options]

    def extend(self, message: Message | Turn) -> None:
        """Let a message or an answer be part of the conversation from here on.

        A server takes as many clips in a prompt as it was started for; `timeground serve` starts it for one video.
        """
        if self.model.profile.text_first:
            self.video = self.transcript.only_video(message.message if isinstance(message, Turn) else message)
            self._send(self.video, self.transcript.asked_first(Message("user", ()), self.video))
            return
        for piece in self.transcript.add(message):
            ids = piece.inputs.ids_L.tolist()
            self.ids = [*self.ids, *ids]
            self.placed = [*self.placed, *self.model.builder.family.placeholders(ids)]
            if piece.shown is not None:
                self._send(piece.shown, piece.inputs)

    def fork(self) -> Self:
        """Return a conversation that goes on apart from this one."""
        other = copy.copy(self)
        other.transcript, other.sent = copy.copy(self.transcript), list(self.sent)
        return other

    def close(self) -> None:
        """Let go of the clips; they are removed when no other conversation has them."""
        self.sent = []

    size_bytes = 0
    """The server holds what there is."""

    def server_prompt(self, message: Message) -> list[int]:
        """Return the token ids that the server's model sees."""
        _, placed = self._prompt(message)
        sampling = sampling_params(SampleSpec(max_new_tokens=1), AnswerTokens(self.model.builder.end_id))
        with readable(self.model.server.http.url):
            ids: list[int] = self._reply(self._body(placed, sampling))["prompt_token_ids"]
        return ids

    def _prompt(self, message: Message) -> tuple[list[int], list[int]]:
        """Return the token ids of a whole prompt, and the same as the server is sent them."""
        if self.video is not None:
            ids: list[int] = self.transcript.asked_first(message, self.video).ids_L.tolist()
            return ids, self.model.builder.family.placeholders(ids)
        question: list[int] = self.transcript.question(message).ids_L.tolist()
        return [*self.ids, *question], [*self.placed, *question]

    def _send(self, shown: Shown, inputs: Any) -> None:
        sent = send_clip(shown.clip, inputs, self.model.builder.family, self.model.shared)
        weakref.finalize(sent, _remove, sent.files)
        self.sent = [*self.sent, sent]

    def _body(self, placed: Sequence[int], sampling: dict[str, Any]) -> dict[str, Any]:
        return self.model.server.body(placed, [part for sent in self.sent for part in sent.parts], sampling)

    def _answers(self, message: Message, spec: SampleSpec) -> list[Turn]:
        ids, placed = self._prompt(message)
        try:
            reply = self._reply(self._body(placed, sampling_params(spec, self.model.builder.answer_tokens)))
            self.model.server.check_prompt(ids, reply)
            return [self.model.builder.turn(answer, spec) for answer in self.model.server.answers(reply)]
        except BadReply as error:
            return [Turn.failed(str(error))] * spec.num_answers

    def _score(self, message: Message, option: str) -> float:
        ids, placed = self._prompt(message)
        answer = self.model.builder.answer_ids(option)
        sampling = {"max_tokens": 1, "temperature": 0.0, "prompt_logprobs": 0, "logprobs": 0, "detokenize": False}
        reply = self._reply(self._body([*placed, *answer], sampling))
        return self.model.server.scored(reply, ids, answer)

    def _reply(self, body: dict[str, Any]) -> dict[str, Any]:
        """Make a request, or find its kept reply; what counts of the media is what is in them, not where they lie."""
        asked = [self.model.server.http.url, self.model.contents, self._digest, {**body, "content_parts": None}]
        return self.model.kept.get(asked, lambda: self.model.server.reply(body))

    @property
    def _digest(self) -> str:
        """Return the identity of all clips."""
        if len(self.sent) == 1:
            return self.sent[0].digest
        return hashlib.sha256("".join(sent.digest for sent in self.sent).encode()).hexdigest()


def _remove(files: list[Any]) -> None:
    for file in files:
        file.unlink(missing_ok=True)
