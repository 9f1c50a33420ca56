"""Cuts a span out of a video into an mp4 that plays everywhere (H.264, and AAC where there is sound)."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from timeground.errors import UserError
from timeground.media.containers.container import open_video
from timeground.media.containers.frame_index import read_index
from timeground.media.containers.orientation import turned

TIME_BASE = Fraction(1, 90000)
MIN_LENGTH_S = 0.2


def cut(source: Path, start_s: float, end_s: float, target: Path) -> None:
    """Write the frames with ``start_s <= time < end_s``, re-encoded, so that the cut is exact.

    Times are those of the timeline: 0 is the start of the presentation. Raise UserError if the span holds no frame.
    """
    import av

    end_s = max(end_s, start_s + MIN_LENGTH_S)
    index = read_index(source)
    with open_video(source) as (video, stream), av.open(str(target), "w", format="mp4") as out:
        if index.info.made_by:
            out.metadata["comment"] = index.info.made_by
        picture = _Picture(out, stream, index.info.rotation, index.info.is_mirrored)
        writers: dict[int, _Picture | _Sound] = {stream.index: picture}
        if video.streams.audio:
            writers[video.streams.audio[0].index] = _Sound(out, video.streams.audio[0])
        unfinished = set(writers)
        video.seek(round((start_s + index.raw_start_s) * av.time_base))
        for packet in video.demux([video.streams[number] for number in writers]):
            frames: Any = packet.decode()
            for frame in frames:
                time_s = -1.0 if frame.time is None else frame.time - index.raw_start_s
                if time_s >= end_s:
                    unfinished.discard(packet.stream.index)  # frames come in the order they are shown
                elif time_s >= start_s:
                    writers[packet.stream.index].write(frame, time_s - start_s)
            if not unfinished:
                break
        if not picture.num_frames:
            raise UserError("no frame of the video lies in this span")
        for writer in writers.values():
            writer.end()


class _Picture:
    """The H.264 stream of a clip; it is laid out when the first frame tells its size."""

    def __init__(self, out: Any, source: Any, rotation: int, is_mirrored: bool) -> None:
        self.out, self.turn, self.num_frames = out, (rotation, is_mirrored), 0
        self.stream = out.add_stream("libx264", rate=source.average_rate or 30)
        self.stream.pix_fmt = "yuv420p"
        self.stream.time_base = self.stream.codec_context.time_base = TIME_BASE
        self.stream.options = {"crf": "20", "preset": "veryfast"}

    def write(self, frame: Any, time_s: float) -> None:
        """Append a frame to be shown at a time of the clip."""
        import av

        if self.turn != (0, False):
            shown = np.ascontiguousarray(turned(frame.to_ndarray(format="rgb24"), *self.turn))
            frame = av.VideoFrame.from_ndarray(shown, format="rgb24")
        width, height = frame.width // 2 * 2, frame.height // 2 * 2  # H.264 halves both sides for colour
        if not self.num_frames:
            self.stream.width, self.stream.height = width, height
        frame = frame.reformat(self.stream.width, self.stream.height, "yuv420p")
        frame.pts, frame.time_base = round(time_s / TIME_BASE), TIME_BASE
        frame.pict_type = av.video.frame.PictureType.NONE
        self.num_frames += 1
        self.out.mux(self.stream.encode(frame))

    def end(self) -> None:
        """Write what the encoder still holds."""
        self.out.mux(self.stream.encode(None))


class _Sound:
    """The AAC stream of a clip."""

    def __init__(self, out: Any, source: Any) -> None:
        import av

        self.out = out
        self.stream = out.add_stream("aac", rate=source.rate)
        self.stream.layout = source.layout
        self.resampler = av.AudioResampler(format="fltp", layout=source.layout, rate=source.rate)

    def write(self, frame: Any, time_s: float) -> None:
        """Append samples that begin at a time of the clip."""
        frame.pts, frame.time_base = round(time_s * frame.sample_rate), Fraction(1, frame.sample_rate)
        for piece in self.resampler.resample(frame):
            self.out.mux(self.stream.encode(piece))

    def end(self) -> None:
        """Write what the encoder still holds."""
        self.out.mux(self.stream.encode(None))
