"""A conversation with an OpenAI-compatible server: a list of messages that is sent whole with each question."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from timeground.chat.layout import DEFAULT_STAMPS, TextSegment, TimeEncoding, encode_time
from timeground.chat.parts import Message, Text
from timeground.chat.trajectory import Turn
from timeground.files.json_text import without_surrogates
from timeground.media.clip import Clip
from timeground.models.sampling import SampleSpec
from timeground.models.served.http import BadReply

if TYPE_CHECKING:
    from timeground.models.served.openai import EndpointModel

UNTOLD_LOGPROB = -1e9
"""Log-probability of an option that is not among the most likely tokens."""
Content = list[dict[str, Any]]


class ChatSession:
    """An opened conversation. Frames are images, each after its stamp."""

    def __init__(self, endpoint: EndpointModel, messages: Sequence[Message]) -> None:
        self.endpoint = endpoint
        self.messages: list[dict[str, Any]] = []
        for message in messages:
            self.extend(message)

    def extend(self, message: Message | Turn) -> None:
        """Let a message or an answer be part of the conversation from here on."""
        self.messages = self._with(message.message if isinstance(message, Turn) else message)

    def fork(self) -> ChatSession:
        """Return a conversation that goes on apart from this one."""
        other = ChatSession(self.endpoint, ())
        other.messages = self.messages
        return other

    def close(self) -> None:
        """Forget what was said; the server holds nothing."""
        self.messages = []

    size_bytes = 0
    """The server holds what there is."""

    def ask(self, messages: Sequence[Message], spec: SampleSpec | None = None) -> list[list[Turn]]:
        """Return answers to each message, as if it alone followed; they are asked side by side.

        Raise UserError for settings that the server is not known to take.
        """
        options = self.endpoint.options((spec or SampleSpec()).with_room(self.endpoint.profile.max_new_tokens))
        return list(self.endpoint.pool.map(lambda message: self._answers(message, options), messages))

    def score(self, messages: Sequence[Message], options: Sequence[Sequence[str]]) -> list[list[float]]:
        """Return, for each message's options, the log-probability of the first token.

        It is told for the 20 likeliest tokens, far below else. Raise BadReply if it is not told.
        """
        return list(self.endpoint.pool.map(self._scores, messages, options))

    def reply(self, message: Message, options: dict[str, Any]) -> dict[str, Any]:
        """Return the server's reply to a message. options: beside model and messages, such as ``max_tokens``."""
        return self.endpoint.chat(self._with(message), options)

    def _answers(self, message: Message, options: dict[str, Any]) -> list[Turn]:
        try:
            return [_turn(choice) for choice in self.reply(message, options)["choices"]]
        except BadReply as error:
            return [Turn.failed(str(error))] * options["n"]

    def _scores(self, message: Message, options: Sequence[str]) -> list[float]:
        reply = self.reply(message, {"temperature": 0.0, "max_tokens": 1, "logprobs": True, "top_logprobs": 20})
        told: dict[str, float] = {}
        try:
            for entry in reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"]:
                told.setdefault(entry["token"].strip(), float(entry["logprob"]))
        except (KeyError, TypeError, IndexError, ValueError, AttributeError):
            raise BadReply(
                f"{self.endpoint.url} tells no probabilities of tokens (logprobs with top_logprobs)"
            ) from None
        return [told.get(option, UNTOLD_LOGPROB) for option in options]

    def _with(self, message: Message) -> list[dict[str, Any]]:
        """Return the conversation with one more message; what one role says in a row is one message."""
        content: Content = []
        for part in message.parts:
            content += [_text(part.text)] if isinstance(part, Text) else self._frames(part.clip)
        if self.messages and self.messages[-1]["role"] == message.role:
            content = [*self.messages[-1]["content"], *content]
            return [*self.messages[:-1], {"role": message.role, "content": content}]
        return [*self.messages, {"role": message.role, "content": content}]

    def _frames(self, clip: Clip) -> Content:
        """Return every second frame as an image after its stamp: as many images as there would be frame pairs."""
        profile = self.endpoint.profile
        stamp = profile.stamp or DEFAULT_STAMPS.get(profile.time_encoding)
        clip, segments = encode_time(profile.in_its_time(clip.thinned()), TimeEncoding.STAMPED_IMAGES, stamp)
        content: Content = []
        for segment in segments:
            if isinstance(segment, TextSegment):
                content.append(_text(segment.text))
            else:
                content.append(_image(clip.frames[segment.first_frame].permute(1, 2, 0).numpy()))
        return content


def _turn(choice: dict[str, Any]) -> Turn:
    return Turn(
        Message.of("assistant", (choice["message"].get("content") or "").strip()),
        logprobs=_logprobs(choice.get("logprobs")),
        finished=choice.get("finish_reason") != "length",
    )


def _logprobs(told: Any) -> tuple[float, ...] | None:
    """Return the log-probability of each token of an answer, NaN for what is no number; None if they are not told."""
    entries = told.get("content") if isinstance(told, dict) else None
    if not isinstance(entries, list):
        return None
    values = [entry.get("logprob") if isinstance(entry, dict) else None for entry in entries]
    return tuple(float(v) if isinstance(v, (int, float)) else math.nan for v in values)


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": without_surrogates(text)}


def _image(pixels_HWC: NDArray[Any]) -> dict[str, Any]:
    """Return a frame as PNG: nothing is lost on the way."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels_HWC).save(buffer, "PNG", compress_level=1)
    data = base64.b64encode(buffer.getvalue()).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
