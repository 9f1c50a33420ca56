"""What time a server's prompt says, against what time the frames show that it was sent.

Both ways of sending a clip are looked at: as it is (a vLLM server that `timeground serve` started), and every second
frame as a stamped image (any server). What the prompt says is read from the token ids that the server gives back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from timeground.chat.layout import TimeEncoding
from timeground.chat.parts import Message
from timeground.doctor.diagnosis import Readings, Row, attempt, judge
from timeground.doctor.inputs import last_numbers, texts_around
from timeground.doctor.pattern import ClockClip, shown_times_s
from timeground.errors import UserError
from timeground.media.clip import Clip
from timeground.media.decode import decode
from timeground.models.served.openai import EndpointModel
from timeground.models.served.vllm.model import VllmModel

SERVER = "server"
QUESTION = "When does it happen?"


@dataclass(frozen=True)
class Server:
    """A server with the tokenizer of its model; None where its folder cannot be read from here."""

    endpoint: EndpointModel
    tokenizer: Any | None


def open_server(address: str) -> Server:
    """Connect. Raise UserError if it does not answer."""
    endpoint = EndpointModel.connect(address, tries=2, timeout_s=120.0)
    return Server(endpoint, endpoint.checkpoint.processor.tokenizer if endpoint.checkpoint else None)


def check_server(server: Server, clips: Sequence[ClockClip]) -> list[Row]:
    """Return rows for each clip and each way of sending it."""
    if server.tokenizer is None:
        note = "the folder of its model cannot be read from here, so its prompt cannot be"
        return [Row(SERVER, "its prompt", "skipped", note=note)]
    rows: list[Row] = []
    for source in clips:
        if source.offset_s:  # a cut file is a matter of readers, not of servers
            continue
        sampling = server.endpoint.sampling()
        enough = 2 * sampling.min_tokens_per_pair
        small = replace(sampling, max_tokens_per_pair=min(sampling.max_tokens_per_pair or enough, enough))
        clip = decode(source.path, small, num_threads=1).paired()
        for name, check in (("frames as they are", _check_native), ("stamped images", _check_images)):
            what = f"{name}, {source.name}"
            rows += attempt(SERVER, what, partial(check, server, clip, what))
    return rows


def _check_native(server: Server, clip: Clip, what: str) -> Row:
    """Check a clip as `VllmModel` sends it."""
    endpoint = server.endpoint
    if reason := endpoint.checkpoint and endpoint.checkpoint.family.why_not_native(endpoint.profile):
        return Row(SERVER, what, "skipped", note=reason)
    if endpoint.profile.time_encoding not in (TimeEncoding.NATIVE, TimeEncoding.INTERLEAVED_SECONDS):
        return Row(
            SERVER, what, "skipped", note=f"{endpoint.profile.time_encoding.value} writes no times into the prompt"
        )
    try:
        model = VllmModel.connect(endpoint, check=False)
        ids = model.open([Message.of("user", clip)]).server_prompt(Message.of("user", QUESTION))
    except UserError as error:
        return Row(SERVER, what, "skipped", note=f"{error}; `timeground serve` starts one that takes them")
    shown_P2 = shown_times_s(clip.frames).reshape(-1, 2)
    is_mean = endpoint.profile.time_encoding is TimeEncoding.NATIVE
    return _judged(server, ids, (shown_P2.mean(axis=1) if is_mean else shown_P2[:, 0]).tolist(), what)


def _check_images(server: Server, clip: Clip, what: str) -> Row:
    """Check every second frame as an image after its stamp."""
    prefix = server.endpoint.open([Message.of("user", clip)])
    reply = prefix.reply(Message.of("user", QUESTION), {"temperature": 0.0, "max_tokens": 1, "return_token_ids": True})
    ids = reply.get("prompt_token_ids")
    if not ids:
        return Row(SERVER, what, "skipped", note="the server does not tell its prompt (vLLM does)")
    return _judged(server, ids, shown_times_s(clip.thinned().frames).tolist(), what)


def _judged(server: Server, ids: list[int], shown_s: list[float], what: str) -> Row:
    if server.endpoint.checkpoint is None:
        return Row(SERVER, what, "skipped", note="the model that it serves is not known")
    said_s, allowed_s = last_numbers(texts_around(ids, server.endpoint.checkpoint.family, server.tokenizer)[:-1])
    return judge(SERVER, what, Readings(said_s, shown_s, allowed_s))
