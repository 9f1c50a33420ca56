"""Clips in which every frame shows the time at which it is presented, and reading that time off a frame.

A frame is a grid of 5 x 5 black and white blocks that spell its time in milliseconds (17 bits) and a check
(8 bits), so a frame that was blended, mangled or turned is told from one that shows another time. Blocks are
large, so the pattern survives h264 and scaling down to 28 x 28 pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np
import numpy.typing as npt
import torch

if TYPE_CHECKING:
    from av.container import OutputContainer

Picture = npt.NDArray[np.uint8]
Times = npt.NDArray[np.float64]
Number = TypeVar("Number", int, npt.NDArray[np.int64])

GRID = 5  # blocks down and across
TIME_BITS = 17  # milliseconds, up to 131 s
CHECK_PRIME = 251
WIDTH, HEIGHT = 160, 120  # pixels: blocks of 32 x 24
CLEAR = 40  # a block is read only if its mean is at least so far from middle grey
MILLISECOND = Fraction(1, 1000)
CONSTANT_FPS = Fraction(30000, 1001)
NUM_CONSTANT, NUM_VARIABLE = 360, 240
KEY_FRAME_EVERY = 48
SOUND_RATE, SOUND_SAMPLES = 16000, 1024
CUT_FRAME = 130  # the cut clip begins with this frame of the constant one, 34 after a key frame


@dataclass(frozen=True)
class ClockClip:
    """A file of clock frames."""

    name: str
    path: Path
    offset_s: float = 0.0
    """What a frame shows at the file's own time 0; not 0 where the file was cut from a longer one."""


def clock_picture(time_s: float, width: int = WIDTH, height: int = HEIGHT) -> Picture:
    """Return RGB ``[height, width, 3]`` of the blocks that spell a time in seconds."""
    milliseconds = round(time_s * 1000)
    if not 0 <= milliseconds < 1 << TIME_BITS:
        raise ValueError(f"the clock goes from 0 to {(1 << TIME_BITS) / 1000:.3f} s, got {time_s}")
    word = milliseconds | _check(milliseconds) << TIME_BITS
    bits = word >> np.arange(GRID * GRID) & 1
    blocks = (bits * 255).astype(np.uint8).reshape(GRID, GRID)
    rows, columns = (np.arange(side) * GRID // side for side in (height, width))
    large = blocks[rows][:, columns]
    return np.repeat(large[:, :, None], 3, axis=2)


def shown_times_s(frames: torch.Tensor) -> Times:
    """Return the time that each of ``[T, 3, H, W]`` frames (0 to 255) shows, ``[T]``; NaN where unreadable."""
    rows, columns = (_middles(side) for side in frames.shape[2:])
    levels = [frames[:, :, row, column].float().mean(dim=(1, 2, 3)) for row in rows for column in columns]
    levels_TB = torch.stack(levels, dim=1).double().numpy()
    is_clear = (np.abs(levels_TB - 127.5) >= CLEAR).all(axis=1)
    words = ((levels_TB > 127.5) << np.arange(GRID * GRID)).sum(axis=1)
    milliseconds = words & (1 << TIME_BITS) - 1
    is_right = is_clear & (words >> TIME_BITS == _check(milliseconds))
    return np.where(is_right, milliseconds / 1000, np.nan)


def write_clock_clips(folder: Path) -> list[ClockClip]:
    """Render the clips: constant frame rate (29.97), variable frame rate, and one cut without re-encoding.

    The variable clip has jitter, three speeds and a picture that stands still for 3 s: ``index / fps`` is off
    by up to 2.6 s in it. The cut clip begins between two key frames, so its edit list hides some frames.
    """
    constant, variable = folder / "constant.mp4", folder / "variable.mp4"
    encode_clock(constant, range(NUM_CONSTANT), 1 / CONSTANT_FPS)
    encode_clock(variable, variable_times_ms(), MILLISECOND)
    cut = folder / "cut.mp4"
    _cut(constant, cut)
    return [
        ClockClip("constant rate", constant),
        ClockClip("variable rate", variable),
        ClockClip("cut", cut, float(CUT_FRAME / CONSTANT_FPS)),
    ]


def _check(milliseconds: Number) -> Number:
    """Return eight bits that change with any bit of the time."""
    return (milliseconds * 37 + 101) % CHECK_PRIME


def _middles(side: int) -> list[slice]:
    """Return the pixels around the middle of each row or column of blocks, without the blurred edges."""
    ends = [(round((k + 0.3) * side / GRID), round((k + 0.7) * side / GRID)) for k in range(GRID)]
    return [slice(first, max(last, first + 1)) for first, last in ends]


def variable_times_ms() -> list[int]:
    """Return about 25 frames a second with jitter, a still picture, then 10 frames a second, then 30."""
    times, now = [], 0
    for number in range(NUM_VARIABLE):
        times.append(now)
        if number < NUM_VARIABLE // 2:
            now += 40 + 7 * (number % 3)
        else:
            now += 3000 if number == NUM_VARIABLE // 2 else 100 if number < 3 * NUM_VARIABLE // 4 else 33
    return times


def encode_clock(
    path: Path,
    ticks: Sequence[int],
    tick: Fraction,
    width: int = WIDTH,
    height: int = HEIGHT,
    slowness: int = 1,
    has_sound: bool = False,
) -> None:
    """Write h264 with B-frames whose frames are shown at the given times, in units of ``tick`` seconds.

    slowness: how many seconds pass while the clock counts one; more than 1 for files longer than the clock.
    has_sound: add silence that starts at 0, so that the presentation does, whenever the first frame is shown.
    """
    import av

    lengths = np.diff([*ticks, 2 * ticks[-1] - ticks[-2]]).tolist()
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=CONSTANT_FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = tick
        stream.options = {"preset": "veryfast", "threads": "1", "g": str(KEY_FRAME_EVERY), "bf": "3"}
        if has_sound:
            _add_silence(container, float(ticks[-1] * tick))
        for moment, length in zip(ticks, lengths, strict=True):
            picture = clock_picture(float(moment * tick) / slowness, width, height)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base, frame.duration = moment, tick, length
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _add_silence(container: OutputContainer, duration_s: float) -> None:
    """Add a track of silence from 0 on. No other track can be added after it."""
    import av

    stream = container.add_stream("aac", rate=SOUND_RATE, layout="mono")
    silence = np.zeros((1, SOUND_SAMPLES), dtype=np.float32)
    for start in range(0, round(duration_s * SOUND_RATE), SOUND_SAMPLES):
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, start, Fraction(1, SOUND_RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _cut(source: Path, path: Path) -> None:
    """Copy packets from the key frame before ``CUT_FRAME`` on; hidden frames get negative times."""
    import av

    with av.open(str(source)) as whole, av.open(str(path), "w", format="mp4") as part:
        stream = part.add_stream_from_template(whole.streams.video[0])
        packets = [packet for packet in whole.demux(video=0) if packet.pts is not None]
        start = CUT_FRAME / CONSTANT_FPS
        keys = [i for i, p in enumerate(packets) if p.is_keyframe and cast(int, p.pts) * p.time_base <= start]
        for packet in packets[keys[-1] :]:
            shift = round(start / packet.time_base)
            packet.pts, packet.dts = cast(int, packet.pts) - shift, cast(int, packet.dts) - shift
            packet.stream = stream
            part.mux(packet)
