"""Reading chosen frames with PyAV: exact for B-frames, open GOPs, edit lists and variable frame rate.

The packets listed beforehand tell which of them are needed. The rest is never decoded: whole groups of
pictures between wanted frames are skipped over, and so is every unwanted picture that no other refers to
(half of a usual H.264 file). What is decoded gives the same pixels as decoding everything.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from timeground.errors import VideoError
from timeground.media.containers.container import damaged, open_video
from timeground.media.containers.frame_index import NO_PTS, FrameIndex, Ints
from timeground.media.containers.picture import Canvas

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

SKIP_WORTH_PACKETS = 24  # fewer packets to skip are decoded along: emptying the decoder costs about as much


class FramesMissing(Exception):
    """A packet did not give the frame that it promised; the file's packets do not tell its frames."""


Placed = Iterator[tuple[int, "VideoFrame | None"]]
NumberedPackets = Iterator[tuple[int, "Packet[VideoStream]"]]


@dataclass(frozen=True)
class Run:
    """A stretch of packets to decode: from a key frame to the last wanted packet (excluded end)."""

    first: int
    stop: int


def read_pyav(
    path: str | os.PathLike[str],
    index: FrameIndex,
    chosen: Ints,
    size: tuple[int, int],
    num_threads: int = 0,
    deadline_s: float | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> torch.Tensor:
    """Return the chosen frames (numbers in the index, ascending) as uint8 ``[T, 3, H, W]``.

    num_threads: decoding threads, 0 for as many as there are cores.
    deadline_s: on ``time.monotonic``'s clock; when it passes, VideoError is raised.
    on_progress: told the share of frames that are there, now and then.
    Raise VideoError if the file cannot be read, FramesMissing if the index should be made by decoding.
    """
    canvas = Canvas(len(chosen), size, index.info.rotation, index.info.is_mirrored)
    with open_video(path) as (container, stream):
        stream.codec_context.thread_type = "AUTO"
        stream.codec_context.thread_count = num_threads
        find = _counted if index.by_decoding else _wanted
        painted = 0
        for place, frame in find(container, stream, index, chosen):
            if deadline_s is not None and time.monotonic() > deadline_s:
                raise VideoError(f"{path}: reading it took longer than the time allowed; raise timeout_s")
            if frame is None:
                continue
            if frame.is_corrupt:
                raise damaged(path, f"the frame at {index.times_s[chosen[place]]:.2f} s cannot be decoded")
            canvas.paint(place, frame)
            painted += 1
            if on_progress is not None:
                on_progress(painted / len(chosen))
    if painted != len(chosen):
        if index.by_decoding:
            raise damaged(path, f"{len(chosen) - painted} of {len(chosen)} frames cannot be decoded")
        raise FramesMissing(str(path))
    return canvas.pixels


def _counted(container: InputContainer, stream: VideoStream, index: FrameIndex, chosen: Ints) -> Placed:
    """Return the chosen frames by their number in the order of decoding; a None after each other frame."""
    places = {int(number): place for place, number in enumerate(index.packet[chosen])}
    last = max(places)
    for number, frame in enumerate(container.decode(stream)):
        yield (places[number], frame) if number in places else (-1, None)
        if number == last:
            return


def _wanted(container: InputContainer, stream: VideoStream, index: FrameIndex, chosen: Ints) -> Placed:
    """Return the chosen frames by their presentation time; a None after each packet, to watch the clock."""
    wanted = index.packet[chosen]
    places = {int(pts): place for place, pts in enumerate(index.packets.pts[wanted])}
    needed = ~index.packets.is_disposable
    needed[wanted] = True
    packets = _numbered(container, stream, index)
    position = 0
    for run in plan_runs(index, wanted):
        if run.first > position + SKIP_WORTH_PACKETS:
            packets = _seek(container, stream, index, run.first)
        for number, packet in packets:
            if number >= run.first and needed[number]:
                for frame in stream.codec_context.decode(packet):
                    if frame.pts is not None and frame.pts in places:
                        yield places.pop(frame.pts), frame
            yield -1, None
            position = number + 1
            if position >= run.stop:
                break
        yield from _drained(stream.codec_context, places)


def _drained(codec: VideoCodecContext, places: dict[int, int]) -> Placed:
    """Return what the decoder still holds; afterwards it is ready for another key frame."""
    for frame in codec.decode(None):
        if frame.pts is not None and frame.pts in places:
            yield places.pop(frame.pts), frame
    codec.flush_buffers()


def plan_runs(index: FrameIndex, wanted: Ints) -> list[Run]:
    """Return the stretches of packets to decode for the wanted ones (packet numbers, in order of time).

    A frame can be decoded from the last key frame that comes before it both in the file and in time: the
    leading frames of an open group of pictures come after their key frame in the file, but lean on the group
    before. A new stretch begins where whole groups can be left out.
    """
    keys = np.flatnonzero(index.packets.is_key)
    runs: list[Run] = []
    for number in wanted:
        before = keys[: np.searchsorted(keys, number, side="right")]
        before = before[index.packets.pts[before] <= index.packets.pts[number]]
        start = int(before[-1]) if len(before) else 0
        if runs and start <= runs[-1].stop + SKIP_WORTH_PACKETS:
            runs[-1] = Run(runs[-1].first, max(runs[-1].stop, int(number) + 1))
        else:
            runs.append(Run(start, int(number) + 1))
    return runs


def _numbered(
    container: InputContainer, stream: VideoStream, index: FrameIndex, first_number: int | None = 0
) -> NumberedPackets:
    """Yield packets from the file's present place on, with their numbers in the index.

    first_number: the number of the first one; None: it is read off the first packet whose time is known.
    Raise FramesMissing if the packets are not those listed before.
    """
    number = first_number
    for packet in container.demux(stream):
        if packet.size == 0:
            continue
        pts = NO_PTS if packet.pts is None else packet.pts
        if number is None:
            found = np.flatnonzero(index.packets.pts == pts)
            if len(found) != 1:
                continue
            number = int(found[0])
        if number >= len(index.packets.pts) or pts != index.packets.pts[number]:
            raise FramesMissing("the packets are not the same when read again")
        yield number, packet
        number += 1


def _seek(container: InputContainer, stream: VideoStream, index: FrameIndex, first: int) -> NumberedPackets:
    """Move to packet ``first`` or somewhat before it, and give the packets from there.

    Where a seek lands is read off the packet found there, never taken on trust; one that lands too late is
    tried again further back, at last at the beginning.
    """
    stamps, pts = index.packets.dts, index.packets.pts
    earlier_keys = np.flatnonzero(index.packets.is_key[:first])[-1:]
    for stamp in (pts[first], stamps[first], *stamps[earlier_keys], min(stamps[0], pts[0])):
        if stamp == NO_PTS:
            continue
        container.seek(int(stamp), stream=stream)
        packets = _numbered(container, stream, index, None)
        landed = next(packets, None)
        if landed is not None and landed[0] <= first:
            return itertools.chain([landed], packets)
    raise FramesMissing("seeking does not find a key frame")
