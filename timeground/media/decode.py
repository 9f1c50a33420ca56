"""Decoding a video into a clip: the frames a sampling asks for, each with the time it is really shown.

First the packets of the file are listed, which tells when every frame is shown; then the frames nearest to
the wanted times are chosen; then a reader fetches exactly those. So the times never depend on the reader, and
a reader that would give other frames is refused.

The default reader is PyAV. It is right on every file tried (B-frames, open groups of pictures, edit lists,
variable frame rate, transport streams), and since it is told which packets matter it also takes less processor
time than torchcodec, for 12 frames of a 20 minute file as for all of a short one. torchcodec and decord serve
to reproduce others' numbers.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import torch

from timeground.errors import UserError, VideoError
from timeground.media.clip import Clip
from timeground.media.containers.container import check_file
from timeground.media.containers.frame_folder import DEFAULT_FOLDER_FPS, list_folder, read_folder
from timeground.media.containers.frame_index import FrameIndex, Ints, Times, VideoInfo, read_index
from timeground.media.decoders.decord import read_decord
from timeground.media.decoders.pyav import FramesMissing, read_pyav
from timeground.media.decoders.torchcodec import read_torchcodec
from timeground.media.limits import check_clip
from timeground.media.sampling import Sampling, frame_size
from timeground.media.selection import check_window, choose, choose_reference

Backend = Literal["auto", "pyav", "torchcodec", "decord"]
OnProgress = Callable[[float], None]


@dataclass(frozen=True)
class DecodeRequest:
    """What to read; the fields are those of ``decode``."""

    path: str | os.PathLike[str]
    sampling: Sampling = field(default_factory=Sampling)
    start_s: float | None = None
    end_s: float | None = None
    backend: Backend = "auto"
    fast: bool = False
    num_threads: int = 0
    timeout_s: float | None = None
    folder_fps: float = DEFAULT_FOLDER_FPS
    clamp_end: bool = False
    """Whether a window's end after the file's is moved to it."""

    def __post_init__(self) -> None:
        """Refuse an unknown reader."""
        if self.backend not in get_args(Backend):
            raise UserError(f"unknown video reader {self.backend!r}; choose from {', '.join(get_args(Backend))}")


def decode(
    path: str | os.PathLike[str],
    sampling: Sampling | None = None,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    backend: Backend = "auto",
    fast: bool = False,
    num_threads: int = 0,
    timeout_s: float | None = None,
    folder_fps: float = DEFAULT_FOLDER_FPS,
    on_progress: OnProgress | None = None,
) -> Clip:
    """Read a video file (or a folder of pictures), or a window of it.

    sampling: how many frames and how large; by default TimeLens's 2 frames a second and 14,336 tokens.
    start_s, end_s: only this part is read (half-open). Times are the file's own clock, where 0 is the start
        of the presentation as players show it.
    backend: the reader; ``auto`` is PyAV.
    fast: if every wanted frame has a neighbour within a quarter of the sampling interval that other frames
        refer to, take that one (with its own true time); fewer frames need decoding, and their pixels are the
        same.
    num_threads: decoding threads, 0 for as many as there are cores.
    timeout_s: VideoError if reading takes longer. A reader stuck inside FFmpeg is ended only by
    ``decode_many``.
    folder_fps: pictures a second in a folder that does not say when each is shown.
    on_progress: told the share of frames that are decoded, from 0 to 1; only by PyAV.

    Frames that stand still longer than the sampling interval are taken once, so a clip can have fewer frames
    than ``num_frames`` says.

    Raise VideoError if the file cannot be read; raise UserError if the window does not lie in it.
    """
    return decode_request(
        DecodeRequest(path, sampling or Sampling(), start_s, end_s, backend, fast, num_threads, timeout_s, folder_fps),
        on_progress,
    )


def decode_request(request: DecodeRequest, on_progress: OnProgress | None = None) -> Clip:
    """Read as ``decode`` does, with its arguments in one object."""
    if os.path.isdir(request.path):
        return _decode_folder(request)
    deadline_s = None if request.timeout_s is None else time.monotonic() + request.timeout_s
    try:
        return _decode_file(request, read_index(request.path), deadline_s, on_progress)
    except FramesMissing:
        return _decode_file(request, read_index(request.path, by_decoding=True), deadline_s, on_progress)


def probe(path: str | os.PathLike[str], folder_fps: float = DEFAULT_FOLDER_FPS) -> VideoInfo:
    """Return facts about a video file or a folder of pictures; lists a file's packets, decodes its first frame.

    Raise VideoError if it cannot be read. Damage further on may go unseen: only decoding tells.
    """
    if os.path.isdir(path):
        return list_folder(path, folder_fps).info
    check_file(path)
    return read_index(path).info


def _decode_folder(request: DecodeRequest) -> Clip:
    """Choose pictures of a folder and read them."""
    folder = list_folder(request.path, request.folder_fps)
    chosen, start_s, end_s, size = _plan(request, folder.info, folder.times_s)
    frames = read_folder(folder, chosen, size)
    return _clip(request, folder.info, frames, folder.times_s[chosen], start_s, end_s)


def _decode_file(
    request: DecodeRequest, index: FrameIndex, deadline_s: float | None, on_progress: OnProgress | None
) -> Clip:
    """Choose frames of a file and read them."""
    chosen, start_s, end_s, size = _plan(request, index.info, index.times_s)
    if request.fast and not index.by_decoding:
        inside = (index.times_s >= start_s) & (index.times_s < end_s)
        chosen = choose_reference(index.times_s, chosen, inside & ~index.packets.is_disposable[index.packet])
    if request.backend == "torchcodec":
        frames = read_torchcodec(request.path, index, chosen, size, request.num_threads)
    elif request.backend == "decord":
        frames = read_decord(request.path, index, chosen, size, request.num_threads)
    else:
        frames = read_pyav(request.path, index, chosen, size, request.num_threads, deadline_s, on_progress)
    if deadline_s is not None and time.monotonic() > deadline_s:
        raise VideoError(f"{request.path}: reading it took longer than {request.timeout_s} s; raise timeout_s")
    return _clip(request, index.info, frames, index.times_s[chosen], start_s, end_s)


def _plan(request: DecodeRequest, info: VideoInfo, times_s: Times) -> tuple[Ints, float, float, tuple[int, int]]:
    """Return the frames to take, the window in seconds, and the size in pixels (height, width)."""
    name = os.fspath(request.path)
    start_s, end_s = check_window(request.start_s, request.end_s, info.duration_s, name, clamp_end=request.clamp_end)
    chosen = choose(times_s, start_s, end_s, request.sampling, name)
    try:
        size = frame_size(info.height, info.width, len(chosen), request.sampling)
    except UserError as error:
        raise VideoError(f"{name}: {error}") from error
    check_clip(name, len(chosen), *size)
    return chosen, start_s, end_s, size


def _clip(
    request: DecodeRequest,
    info: VideoInfo,
    frames: torch.Tensor,
    times_s: Times,
    start_s: float,
    end_s: float,
) -> Clip:
    """Return frames and times; a frame still standing from before the window is seen from its start on."""
    return Clip(
        frames,
        torch.from_numpy(np.maximum(times_s, start_s)),
        start_s,
        end_s,
        info.duration_s,
        os.fspath(request.path),
        info.made_by,
    )
