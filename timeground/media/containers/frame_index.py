"""When every frame of a file is shown, read from the file's packets without decoding them.

``index / fps`` is wrong on files of variable frame rate (by up to 46 s in a minute of video, as measured), on
files cut without re-encoding, and on transport streams. The presentation timestamps in the packets are right,
and listing them costs about as much as copying the file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from timeground.errors import VideoError
from timeground.media.containers.completeness import first_break
from timeground.media.containers.container import damaged, open_video
from timeground.media.containers.nal import disposable_reader
from timeground.media.containers.orientation import orientation
from timeground.media.containers.tag import tag_in

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Times = npt.NDArray[np.float64]

NO_PTS = int(np.iinfo(np.int64).min)
CACHED_FILES = 16
# AVI stores no presentation times; FFmpeg's guesses at them are wrong where there are B-frames.
FORMATS_WITHOUT_PTS = ("avi",)
MIN_TOLD_S = 0.1  # shorter holes are told by where they begin
MAX_LOST_S = 1.0  # decoded frames may be further apart than the packets by this much; more means lost frames


@dataclass(frozen=True)
class VideoInfo:
    """What a file says of itself. Sizes in pixels, after rotation, and times in seconds."""

    duration_s: float
    """From the start of the presentation (t = 0) to the end of the last frame."""
    num_frames: int
    width: int
    height: int
    fps: float
    """Average frames per second; for a file of variable frame rate no more than that."""
    codec: str
    container: str
    rotation: int
    """Degrees counterclockwise by which the stored picture is turned to be shown: 0, 90, 180 or 270."""
    has_audio: bool
    made_by: str = ""
    """The tag of a rendered video, else ""."""
    is_mirrored: bool = False
    """It is mirrored after that, left to right."""


@dataclass(frozen=True)
class Packets:
    """The packets of the main video stream in decoding order; arrays ``[P]``, times in units of the file."""

    pts: Ints
    dts: Ints
    is_key: Bools
    is_disposable: Bools  # no other frame refers to it
    is_hidden: Bools  # decoded but not shown: before the start that an edit list sets
    duration: Ints
    position: Ints  # first byte of each in the file, -1 where that is not known
    time_base: Fraction
    start_s: float  # earliest time of any stream, by the file's own clock


@dataclass(frozen=True)
class FrameIndex:
    """The frames of a file in the order they are shown."""

    info: VideoInfo
    packets: Packets
    times_s: Times
    """Float64 ``[N]``, 0 is the start of the presentation."""
    packet: Ints
    """Int64 ``[N]``, each frame's place among the packets."""
    by_decoding: bool = False
    """The packets do not tell the times, so a full decode did: frames are found by counting."""
    stream: int = 0
    """Number of the video stream in the file."""

    @property
    def raw_start_s(self) -> float:
        """Return what the file's own timestamps say at t = 0; 6.4 s on some transport streams, usually 0."""
        if self.by_decoding:
            return 0.0
        return float(self.packets.pts[self.packet[0]] * self.packets.time_base) - float(self.times_s[0])

    @property
    def has_open_gops(self) -> bool:
        """Return whether a frame is decoded after a key frame but shown before it."""
        pts, is_key = self.packets.pts, self.packets.is_key
        latest_key_pts = np.maximum.accumulate(np.where(is_key, pts, NO_PTS))
        return bool(np.any(pts < latest_key_pts))


def read_index(path: str | os.PathLike[str], by_decoding: bool = False) -> FrameIndex:
    """List the frames of a file; the lists of the last few files are kept. Raise VideoError if it cannot be read.

    by_decoding: take the times from a full decode, for files whose packets do not tell them truly.
    """
    try:
        stat = os.stat(path)
    except (OSError, ValueError):
        return _read_index(os.fspath(path), by_decoding)  # says what is wrong
    return _cached_index(os.fspath(path), by_decoding, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=CACHED_FILES)
def _cached_index(path: str, by_decoding: bool, mtime_ns: int, size: int) -> FrameIndex:
    """Return an index that is kept by name, time of change and size, so that a file written anew is read anew."""
    return _read_index(path, by_decoding)


def _read_index(path: str, by_decoding: bool) -> FrameIndex:
    """List the frames of a file."""
    with open_video(path) as (container, stream):
        packets = _list_packets(path, container, stream)
        refuse_missing(path, packets)
        has_audio = len(container.streams.audio) > 0
        tag = tag_in(container.metadata)
        names, number = (stream.codec.canonical_name, container.format.name), stream.index
    first = _first_frame(path)
    if by_decoding or NO_PTS in packets.pts or names[1] in FORMATS_WITHOUT_PTS:
        times_s, end_s, order = _times_by_decoding(path, packets, names[1] in FORMATS_WITHOUT_PTS)
        by_decoding = True
    else:
        times_s, end_s, order = _times_of_packets(path, packets)
    rotation, is_mirrored = orientation(first)
    width, height = (first.height, first.width) if rotation % 180 else (first.width, first.height)
    length_s = end_s - float(times_s[0])
    fps = len(times_s) / length_s if length_s > 0 else 0.0
    info = VideoInfo(end_s, len(times_s), width, height, fps, *names, rotation, has_audio, tag, is_mirrored)
    return FrameIndex(info, packets, times_s, order, by_decoding, number)


def _list_packets(path: str, container: InputContainer, stream: VideoStream) -> Packets:
    """Read every packet of the stream; nothing is decoded."""
    tells = disposable_reader(stream.codec_context.name, stream.codec_context.extradata)
    rows: list[tuple[int, int, bool, bool, bool, int, int]] = []
    for packet in _demuxed(path, container, stream):
        if packet.size == 0:
            continue
        if packet.is_corrupt:
            raise damaged(path, f"a packet is cut short: what comes after {_last_s(rows, stream):.1f} s is not there")
        pts = NO_PTS if packet.pts is None else packet.pts
        dts = NO_PTS if packet.dts is None else packet.dts
        disposable = packet.is_disposable if tells is None else tells(memoryview(packet))
        position = -1 if packet.pos is None else packet.pos
        rows.append((pts, dts, packet.is_keyframe, disposable, packet.is_discard, packet.duration or 0, position))
    if not rows:
        raise no_frames(path)
    columns = np.array(rows, dtype=np.int64).T
    flags = columns[2:5].astype(bool)
    time_base = stream.time_base or Fraction(1, 1)
    start_s = (container.start_time or 0) / 1_000_000
    return Packets(columns[0], columns[1], flags[0], flags[1], flags[2], columns[5], columns[6], time_base, start_s)


def _demuxed(path: str, container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """Yield the packets of the stream; PyAV fails on those of a stream that FFmpeg makes up from a damaged stretch."""
    try:
        yield from container.demux(stream)
    except IndexError:
        raise damaged(path, "a stretch of it holds no frames and no sound") from None


def _last_s(rows: list[tuple[int, int, bool, bool, bool, int, int]], stream: VideoStream) -> float:
    """Return when the last of these packets ends, in seconds from the first."""
    known = [(row[0] if row[0] != NO_PTS else row[1], row[5]) for row in rows]
    times = [(time, length) for time, length in known if time != NO_PTS]
    if not times:
        return 0.0
    first = min(time for time, _ in times)
    return float(max(time + length - first for time, length in times) * (stream.time_base or 0))


def refuse_missing(path: str, packets: Packets) -> None:
    """Raise VideoError, with the seconds, where a file does not hold all that it announces."""
    at = first_break(path)
    if at is None:
        return
    known = packets.pts != NO_PTS
    seconds = (packets.pts - min(packets.pts[known], default=0)) * float(packets.time_base)
    before, after = known & (packets.position < at), known & (packets.position >= at)
    last_s = float((seconds + packets.duration * float(packets.time_base))[before].max(initial=0.0))
    if after.any():
        next_s = max(last_s, float(seconds[after].min()))
        until = f" to {next_s:.1f} s" if next_s - last_s >= MIN_TOLD_S else " on"
        raise damaged(path, f"from {last_s:.1f} s{until} it cannot be read")
    raise damaged(path, f"what comes after {last_s:.1f} s is not there")


def no_frames(path: str) -> VideoError:
    """Return the error of a video stream with nothing in it."""
    return VideoError(f"{path}: its video holds no frames: the recording or the download did not finish; get it again")


def _first_frame(path: str) -> VideoFrame:
    """Decode the first frame: it alone tells the rotation, and that the codec can be decoded at all."""
    with open_video(path) as (container, stream):
        stream.codec_context.thread_count = 1
        for frame in container.decode(stream):
            return frame
    raise no_frames(path)


def _times_of_packets(path: str, packets: Packets) -> tuple[Times, float, Ints]:
    """Return times, end and packet numbers of the shown frames, from the packets.

    Left out are hidden packets, and those before the first key frame in either order (the leading frames of
    an open group of pictures whose beginning is not in the file), which no decoder can show.
    """
    if not packets.is_key.any():
        raise VideoError(f"{path}: the video has no key frame to start from; it is damaged or cut short")
    first_key = int(np.argmax(packets.is_key))
    shown = ~packets.is_hidden & (packets.pts >= packets.pts[first_key])
    shown[:first_key] = False
    if not shown.any():
        raise no_frames(path)
    numbers = np.flatnonzero(shown)
    pts, first_of_each = np.unique(packets.pts[numbers], return_index=True)
    numbers = numbers[first_of_each]
    return *_on_clock(pts, int(packets.duration[numbers[-1]]), packets), numbers


def _times_by_decoding(path: str, packets: Packets, evenly: bool) -> tuple[Times, float, Ints]:
    """Return times, end and numbers of the shown frames, from decoding all of them.

    evenly: the container stores no presentation times, only one slot per frame: the frames fill the slots in
    the order in which they come out of the decoder.
    """
    with open_video(path) as (container, stream):
        stream.codec_context.thread_type = "AUTO"
        shown = [frame.pts for frame in container.decode(stream)]
    if not shown:
        raise no_frames(path)
    if evenly and len(shown) <= len(packets.dts) and NO_PTS not in packets.dts:
        pts = np.sort(packets.dts)[: len(shown)]
        packets = replace(packets, start_s=float(pts[0] * packets.time_base), duration=np.zeros_like(pts))
    elif None in shown:
        raise VideoError(f"{path}: its frames carry no times; re-encode it (ffmpeg -i {path} out.mp4)")
    else:
        pts = np.array(shown, dtype=np.int64)
        _refuse_lost_frames(path, pts, packets)
    numbers = np.argsort(pts, kind="stable")
    return *_on_clock(pts[numbers], int(packets.duration[-1]), packets), numbers


def _refuse_lost_frames(path: str, pts: Ints, packets: Packets) -> None:
    """Raise VideoError if decoding left a hole in time that the packets do not have."""
    known = np.sort(packets.pts[packets.pts != NO_PTS])
    widest_packet_gap = np.diff(known).max(initial=0)
    lost_s = float((np.diff(np.sort(pts)).max(initial=0) - widest_packet_gap) * packets.time_base)
    cut_s = float((known.max(initial=pts.max()) - pts.max()) * packets.time_base)
    if max(lost_s, cut_s) > MAX_LOST_S:
        raise damaged(path, f"{max(lost_s, cut_s):.1f} s of frames cannot be decoded")


def _on_clock(pts: Ints, last_duration: int, packets: Packets) -> tuple[Times, float]:
    """Return seconds from the start of the presentation, and when the last frame ends; ``pts`` in order of time.

    The presentation starts, as in FFmpeg and in players, with the earliest of the file's streams, but never
    before the file's own zero (sound may have a few ms of padding there), and never after the first frame.
    So an ordinary file keeps its own times, and a transport stream that begins at 6.4 s starts at 0.
    """
    raw_s = pts * packets.time_base.numerator / packets.time_base.denominator
    start_s = min(max(packets.start_s, 0.0), float(raw_s[0]))
    if last_duration <= 0 and len(pts) > 1:
        last_duration = int(np.median(np.diff(pts)))
    times_s = np.round(raw_s - start_s, 9)
    return times_s, float(times_s[-1]) + last_duration * float(packets.time_base)
