"""Reads conversations as other programs keep them: OpenAI's chat messages and those of qwen-vl-utils.

Videos are read by our own decoder, at the times that their frames really have; a still picture is a clip of one frame
at 0 s. Nothing is fetched from the network. Keys whose value is null count as not given: tables have them.
"""

from __future__ import annotations

import base64
import binascii
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args
from urllib.parse import unquote

from timeground.chat.parts import Frames, Message, Part, Role, Text
from timeground.errors import UserError
from timeground.media.clip import Clip
from timeground.media.containers.container import check_file
from timeground.media.decode import DecodeRequest, decode_request
from timeground.media.limits import max_frame_pixels
from timeground.media.pictures import Picture, clip_of_pictures
from timeground.media.sampling import Sampling

LISTED_FPS = 2.0
"""Frames a second of a list of pictures that does not say, as in qwen-vl-utils."""
LARGEST = 1e12
"""No number of a message is larger."""
_PIXELS = ("min_pixels", "max_pixels", "total_pixels")
_FRAMES = ("fps", "nframes", "min_frames", "max_frames", "video_start", "video_end")


def read_messages(dicts: Any, sampling: Sampling) -> list[Message]:
    """Return messages of dictionaries. Raise UserError that names the message and the part, both counted from 1."""
    if not isinstance(dicts, Sequence) or isinstance(dicts, str | bytes):
        raise UserError(f"messages: expected a list of dictionaries, got {_kind(dicts)}")
    found = []
    for number, given in enumerate(dicts, 1):
        with _at(f"message {number}"):
            found.append(_message(given, sampling))
    return found


def _message(given: Any, sampling: Sampling) -> Message:
    fields = _fields(given, ("role", "content"))
    role: Any = fields.get("role")
    content = fields.get("content")
    if role not in get_args(Role):
        raise UserError(f"role {_shown(role)} is none of {', '.join(get_args(Role))}")
    if isinstance(content, str):
        return Message(role, (Text(content),))
    if not isinstance(content, list | tuple):
        raise UserError(f"content is {_kind(content)}, expected a text or a list of parts")
    parts = []
    for number, part in enumerate(content, 1):
        with _at(f"part {number}"):
            parts.append(_part(part, sampling))
    return Message(role, tuple(parts))


def _part(given: Any, sampling: Sampling) -> Part:
    kind = given.get("type") if isinstance(given, Mapping) else "text"
    if not isinstance(kind, str) or kind not in _READERS:
        raise UserError(f"type {_shown(kind)} is none of {', '.join(_READERS)}")
    reader, keys = _READERS[kind]
    return reader(_fields(given, ("type", *keys)), sampling)


def _text(fields: Mapping[str, Any], sampling: Sampling) -> Text:
    if not isinstance(fields.get("text"), str):
        raise UserError(f"text is {_kind(fields.get('text'))}, expected a text")
    return Text(fields["text"])


def _image(fields: Mapping[str, Any], sampling: Sampling) -> Frames:
    picture, wanted = _picture(_source(fields, "image")), _sampling(fields, sampling)
    return Frames(clip_of_pictures([picture], [0.0], 1 / wanted.fps, wanted))


def _video(fields: Mapping[str, Any], sampling: Sampling) -> Frames:
    source, wanted = _source(fields, "video"), _sampling(fields, sampling)
    start_s, end_s = (_number(fields, key, least=0) for key in ("video_start", "video_end"))
    if isinstance(source, list | tuple):
        if given := [key for key in _FRAMES if key in fields]:
            raise UserError(f"{given[0]} is for files; of a list of frames say sample_fps, the frames of it a second")
        return Frames(_listed(source, _number(fields, "sample_fps") or LISTED_FPS, wanted))
    if "sample_fps" in fields:
        raise UserError("sample_fps is for lists of frames; say fps")
    return Frames(decode_request(DecodeRequest(_path(source), wanted, start_s, end_s, clamp_end=True)))


def _listed(sources: Sequence[Any], fps: float, sampling: Sampling) -> Clip:
    """Return a list of pictures as a clip: all of them, evenly spaced."""
    if not sources:
        raise UserError("video is an empty list; give the files of its frames")
    times_s = [number / fps for number in range(len(sources))]
    return clip_of_pictures([_picture(source) for source in sources], times_s, len(sources) / fps, sampling)


_READERS: dict[str, tuple[Callable[[Mapping[str, Any], Sampling], Part], tuple[str, ...]]] = {
    "text": (_text, ("text",)),
    "image": (_image, ("image", *_PIXELS)),
    "image_url": (_image, ("image_url", *_PIXELS)),
    "video": (_video, ("video", *_FRAMES, *_PIXELS, "sample_fps")),
    "video_url": (_video, ("video_url", *_FRAMES, *_PIXELS)),
}
"""The types of parts, each with what reads it and the keys that it may have."""


def _source(fields: Mapping[str, Any], kind: str) -> Any:
    """Return what a part shows: the value of ``video``, or the address in ``video_url``, which may be bare."""
    url = fields.get(f"{kind}_url")
    if isinstance(url, Mapping):
        inner = _fields(url, ("url", "detail") if kind == "image" else ("url",))
        if inner.get("detail", "auto") != "auto":
            raise UserError("detail is not taken; say min_pixels and max_pixels beside image_url")
        return inner.get("url")
    return fields.get(kind) if url is None else url


def _picture(source: Any) -> Picture:
    """Return a picture's file, its bytes, or itself."""
    from PIL import Image

    if isinstance(source, Image.Image):
        return source
    if isinstance(source, str) and source.startswith("data:"):
        return _data(source)
    path = _path(source)
    check_file(path)
    return path


def _data(url: str) -> bytes:
    """Return what is in a ``data:`` address."""
    head, found, text = url.partition(",")
    if not found or not head.startswith("data:image/") or not head.endswith(";base64"):
        raise UserError(f"{_shown(url)}: expected data:image/...;base64,...")
    if len(text) > 8 * max_frame_pixels():  # more than an uncompressed picture of that many pixels has
        raise UserError(f"a picture of {len(text):,} characters is too large; give the path of its file")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UserError(f"{_shown(url)}: damaged base64 ({error})") from None


def _path(source: Any) -> Path:
    """Return the file or folder behind a path or a ``file://`` address."""
    if not isinstance(source, str | Path):
        raise UserError(f"expected the path of a file, got {_kind(source)}")
    text = str(source)
    if text.startswith("data:"):
        raise UserError("a video in a data: address is not taken; give the path of its file")
    if text.startswith("file://"):
        text = unquote(text.removeprefix("file://"))
    elif "://" in text:
        raise UserError(f"{_shown(text)}: nothing is fetched from the network; download it and give the file's path")
    if not text or not os.path.exists(text):
        raise UserError(f"{_shown(text)}: there is no such file")
    return Path(text)


def _sampling(fields: Mapping[str, Any], sampling: Sampling) -> Sampling:
    """Return which frames are wanted: as the caller wants them, changed by what a part says."""
    whole = {key: _whole(fields, key) for key in (*_PIXELS, "nframes", "min_frames", "max_frames")}
    changes: dict[str, Any] = {key: whole[key] for key in ("min_frames", "max_frames") if whole[key] is not None}
    if (fps := _number(fields, "fps")) is not None:
        changes["fps"] = fps
    if (count := whole["nframes"]) is not None:
        if len(changes) > 0:
            raise UserError("nframes says how many frames there are; leave out fps, min_frames and max_frames")
        changes["min_frames"] = changes["max_frames"] = 2 * max(1, round(count / 2))
    area = sampling.factor**2  # a token is so many pixels of two frames
    if (pixels := whole["min_pixels"]) is not None:
        changes["min_tokens_per_pair"] = -(-pixels // area)
    if (pixels := whole["max_pixels"]) is not None:
        changes["max_tokens_per_pair"] = max(1, pixels // area)
    if (pixels := whole["total_pixels"]) is not None:
        changes["total_tokens"] = max(1, pixels // area)
    return replace(sampling, **changes)


def _whole(fields: Mapping[str, Any], key: str) -> int | None:
    value = fields.get(key)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= LARGEST):
        raise UserError(f"{key} is {_shown(value)}, expected a whole number from 1 on")
    return value


def _number(fields: Mapping[str, Any], key: str, least: float = 1e-6) -> float | None:
    value = fields.get(key)
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not least <= value <= LARGEST or math.isnan(value):
        raise UserError(f"{key} is {_shown(value)}, expected a number from {least:g} on")
    return float(value)


def _fields(given: Any, known: Sequence[str]) -> dict[str, Any]:
    """Return the fields that have a value."""
    if not isinstance(given, Mapping):
        raise UserError(f"expected a dictionary, got {_kind(given)}")
    fields = {key: value for key, value in given.items() if value is not None}
    if unknown := [key for key in fields if key not in known]:
        raise UserError(f"unknown key {_shown(unknown[0])}; there are {', '.join(known)}")
    return fields


@contextmanager
def _at(where: str) -> Iterator[None]:
    """Say in an error where it is."""
    try:
        yield
    except UserError as error:
        raise type(error)(f"{where}: {error}") from error


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


def _shown(value: Any) -> str:
    """Return a value as an error may say it: on one line, and short."""
    text = ascii(value) if isinstance(value, str | int | float | None) else _kind(value)
    return text if len(text) <= 80 else text[:80] + "..."
