"""Small videos in which every frame shows its own number, in many containers and with every trap known."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

WIDTH, HEIGHT, FPS, NUM_FRAMES = 128, 96, 25, 300
COLUMNS, ROWS = 4, 3  # blocks; each shows one bit of the frame's number, white or black


def numbered_picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """RGB [h, w, 3] of blocks that spell the number in binary."""
    rows = np.arange(height) * ROWS // height
    columns = np.arange(width) * COLUMNS // width
    bit = rows[:, None] * COLUMNS + columns[None, :]
    return np.repeat(((number >> bit) & 1).astype(np.uint8)[:, :, None] * 255, 3, axis=2)


def read_number(frame: torch.Tensor) -> int:
    """The number that a frame [3, H, W] shows, from the middle of each block."""
    _, height, width = frame.shape
    number = 0
    for bit in range(COLUMNS * ROWS):
        y, x = (bit // COLUMNS + 0.5) * height / ROWS, (bit % COLUMNS + 0.5) * width / COLUMNS
        block = frame[:, int(y) - 3 : int(y) + 3, int(x) - 3 : int(x) + 3].float().mean()
        number |= int(block > 128) << bit
    return number


def ffmpeg(*arguments: str | Path, data: bytes | None = None) -> None:
    """Run ffmpeg, which must succeed."""
    command = ["ffmpeg", "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, input=data, check=True, capture_output=True)


def render(path: Path, *options: str, width: int = WIDTH, height: int = HEIGHT, count: int = NUM_FRAMES) -> Path:
    """Encode numbered frames at 25 fps."""
    raw = b"".join(numbered_picture(number, width, height).tobytes() for number in range(count))
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(FPS), "-i", "-"]
    ffmpeg(*source, *options, path, data=raw)
    return path


H264 = ["-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "50", "-pix_fmt", "yuv420p"]
# Three speeds, jitter, and a hole of 6 s after frame 199.
VFR_TIME = "(N/25+mod(N,3)*0.007+floor(N/100)*0.5+gte(N,200)*6)"
VFR = ["-vf", f"settb=1/90000,setpts='{VFR_TIME}/TB'", "-vsync", "passthrough", "-enc_time_base", "1/90000"]


def vfr_time_s(number: int) -> float:
    """The same as VFR_TIME."""
    return number / 25 + number % 3 * 0.007 + number // 100 * 0.5 + (6 if number >= 200 else 0)


@dataclass(frozen=True)
class Example:
    """A video and the time at which each of its frames is shown, by frame number."""

    path: Path
    true_times_s: dict[int, float]


def _cfr(first: int = 0, count: int = NUM_FRAMES) -> dict[int, float]:
    return {number: (number - first) / FPS for number in range(first, count)}


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Example]:
    """Examples by name, each made when first asked for."""
    folder = tmp_path_factory.mktemp("videos")
    made: dict[str, Example] = {}

    def get(name: str) -> Example:
        if name not in made:
            made[name] = MAKERS[name](folder, get)
        return made[name]

    return get


Getter = Callable[[str], Example]
MAKERS: dict[str, Callable[[Path, Getter], Example]] = {
    "cfr.mp4": lambda d, _: Example(render(d / "cfr.mp4", *H264), _cfr()),
    "vfr.mp4": lambda d, _: Example(
        render(d / "vfr.mp4", *H264, *VFR, "-video_track_timescale", "90000"),
        {n: vfr_time_s(n) for n in range(NUM_FRAMES)},
    ),
    "vfr.mkv": lambda d, _: Example(render(d / "vfr.mkv", *H264, *VFR), {n: vfr_time_s(n) for n in range(NUM_FRAMES)}),
    "open_gop.mp4": lambda d, _: Example(
        render(d / "open_gop.mp4", *H264, "-x264-params", "open-gop=1:bframes=3:b-adapt=0"), _cfr()
    ),
    "edit_list.mp4": lambda d, get: _copy(get("cfr.mp4"), d / "edit_list.mp4", _cfr(83), "-ss", "3.3"),
    "late.ts": lambda d, get: _copy(get("open_gop.mp4"), d / "late.ts", _cfr(), after=["-output_ts_offset", "5"]),
    "intra.mp4": lambda d, _: Example(render(d / "intra.mp4", *H264, "-x264-params", "intra-refresh=1"), _cfr()),
    "b_frames.avi": lambda d, _: Example(render(d / "b_frames.avi", "-c:v", "mpeg4", "-bf", "2", "-q:v", "3"), _cfr()),
    "h264.avi": lambda d, get: _copy(get("cfr.mp4"), d / "h264.avi", _cfr(), after=["-bsf:v", "h264_mp4toannexb"]),
    "h265.mp4": lambda d, _: Example(
        render(
            d / "h265.mp4",
            "-c:v",
            "libx265",
            "-preset",
            "veryfast",
            "-x265-params",
            "log-level=none:keyint=50:bframes=4",
        ),
        _cfr(),
    ),
    "ten_bit.mp4": lambda d, _: Example(render(d / "ten_bit.mp4", *H264, "-pix_fmt", "yuv420p10le"), _cfr()),
    "vp9.webm": lambda d, _: Example(
        render(d / "vp9.webm", "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "50"),
        _cfr(),
    ),
    "vp8.webm": lambda d, _: Example(
        render(
            d / "vp8.webm",
            "-c:v",
            "libvpx",
            "-auto-alt-ref",
            "1",
            "-lag-in-frames",
            "16",
            "-deadline",
            "good",
            "-cpu-used",
            "5",
            "-g",
            "50",
        ),
        _cfr(),
    ),
    "fragmented.mp4": lambda d, get: _copy(
        get("cfr.mp4"), d / "fragmented.mp4", _cfr(), after=["-movflags", "frag_keyframe+empty_moov"]
    ),
    "odd.mp4": lambda d, _: Example(render(d / "odd.mp4", *H264, "-pix_fmt", "yuv444p", width=127, height=95), _cfr()),
}


def _copy(
    source: Example, path: Path, times_s: dict[int, float], *before: str, after: list[str] | None = None
) -> Example:
    ffmpeg(*before, "-i", source.path, "-c", "copy", *(after or []), path)
    return Example(path, times_s)
