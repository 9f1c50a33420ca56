"""Decode, sample and resize a video under TimeLens's budget: timeground against qwen-vl-utils and ffmpeg.

    python -m benchmarks.decode            # a 60 s and a 20 min file, 1280 x 720, 30 fps, H.264
    python -m benchmarks.decode --quick    # a 10 s file, one turn
    python -m benchmarks.decode --lengths 60 --repeats 5

Sides: ``timeground`` (``decode``), ``timeground fast`` (``decode(fast=True)``), qwen-vl-utils'
``fetch_video`` with torchcodec and with decord, and the plain ``ffmpeg`` program writing raw pictures to a
pipe. All give the same number of frames of the same size. timeground's own list of the file's packets is made
anew each time.

Before timing, timeground's pixels are compared with those of a full decode in PyAV, scaled by the same
filter: the largest difference must be 0.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import av
import torch

from timeground.media.clip import Clip
from timeground.media.containers.frame_index import _cached_index
from timeground.media.decode import decode
from timeground.media.sampling import Sampling
from timeground.models.torchvision_repair import repair_torchvision

from .common import cache_folder, print_result, time_alternating, versions

SAMPLING = Sampling()
QWEN_READERS = ("torchcodec", "decord")
PART_S = 60


def make_video(duration_s: int) -> Path:
    """Moving shapes and grain at about 2.6 Mbit/s; longer files repeat the first minute, packet by packet."""
    path = cache_folder() / f"decode_{duration_s}s.mp4"
    if path.exists():
        return path
    print(f"rendering {path}", file=sys.stderr)
    unfinished = path.with_suffix(".part.mp4")
    if duration_s > PART_S:
        source = ["-stream_loop", str(duration_s // PART_S - 1), "-i", str(make_video(PART_S)), "-c", "copy"]
    else:
        picture = f"testsrc2=s=1280x720:r=30:d={duration_s},noise=alls=6:allf=t"
        codec = ["-c:v", "libx264", "-preset", "medium", "-bf", "3", "-g", "250", "-b:v", "2600k"]
        source = ["-f", "lavfi", "-i", picture, *codec, "-pix_fmt", "yuv420p"]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *source, str(unfinished)], check=True)
    unfinished.rename(path)
    return path


def ours(path: Path, fast: bool = False) -> Clip:
    """timeground, from scratch."""
    _cached_index.cache_clear()
    return decode(path, SAMPLING, fast=fast)


def qwen(path: Path, reader: str) -> torch.Tensor:
    """qwen-vl-utils with one of its readers, under the same budget."""
    from qwen_vl_utils import vision_process

    vision_process.FORCE_QWENVL_VIDEO_READER = reader
    vision_process.get_video_reader_backend.cache_clear()
    area = SAMPLING.factor**2
    video: torch.Tensor = vision_process.fetch_video(
        {
            "video": str(path),
            "fps": SAMPLING.fps,
            "max_frames": SAMPLING.frame_limit,
            "min_pixels": SAMPLING.min_tokens_per_pair * area,
            "total_pixels": SAMPLING.total_tokens * area,
        }
    )
    return video


def ffmpeg_program(path: Path, num_frames: int, duration_s: float, height: int, width: int) -> bytes:
    """The ffmpeg program, as most scripts call it."""
    filters = f"fps={num_frames / duration_s},scale={width}:{height}:flags=bicubic"
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-vf", filters, "-frames:v", str(num_frames)]
    return subprocess.run(
        [*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], stdout=subprocess.PIPE, check=True
    ).stdout


def largest_difference(path: Path, clip: Clip) -> int:
    """The largest difference of a clip's pixel to that of a full sequential decode, scaled the same way."""
    height, width = clip.frames.shape[2:]
    places = {round(time_s * 1e6): place for place, time_s in enumerate(clip.frame_times_s.tolist())}
    worst, found = 0, 0
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        for frame in container.decode(video=0):
            place = places.get(round(float(frame.time or 0) * 1e6))
            if place is None:
                continue
            found += 1
            whole = frame.reformat(width, height, "gbrp", interpolation="BICUBIC").to_ndarray()
            difference = torch.from_numpy(whole).permute(2, 0, 1).int() - clip.frames[place].int()
            worst = max(worst, int(difference.abs().max()))
    if found != clip.num_frames:
        raise RuntimeError(f"{clip.num_frames - found} frames have times at which the file shows none")
    return worst


def measure(duration_s: int, repeats: int) -> dict[str, object]:
    """Time all sides on one file."""
    path = make_video(duration_s)
    clip, fast_clip = ours(path), ours(path, fast=True)
    height, width = clip.frames.shape[2:]
    shape = [clip.num_frames, height, width]
    theirs = qwen(path, "torchcodec")
    if list(theirs.shape) != [clip.num_frames, 3, height, width]:
        raise RuntimeError(f"qwen-vl-utils gives {tuple(theirs.shape)}, timeground {tuple(clip.frames.shape)}")
    facts: dict[str, object] = {
        "shape_THW": shape,
        "file_mb": round(path.stat().st_size / 1e6, 1),
        "max_difference_to_full_decode": largest_difference(path, clip),
        "fast_max_difference_to_full_decode": largest_difference(path, fast_clip),
        "fast_mean_time_shift_s": round(float((clip.frame_times_s - fast_clip.frame_times_s).abs().mean()), 4),
        "mean_difference_to_qwen": round(float((theirs[::8] - clip.frames[::8].float()).abs().mean()), 3),
    }
    del theirs, fast_clip
    sides: dict[str, Callable[[], object]] = {
        "timeground": lambda: ours(path),
        "timeground fast": lambda: ours(path, fast=True),
        **{f"qwen-vl-utils {reader}": lambda reader=reader: qwen(path, reader) for reader in QWEN_READERS},  # type: ignore[misc]
        "ffmpeg program": lambda: ffmpeg_program(path, clip.num_frames, clip.duration_s, height, width),
    }
    print(f"{duration_s} s file, {shape[0]} frames of {width} x {height}:", file=sys.stderr)
    timings = time_alternating(sides, repeats, warm_up=0)
    ours_s = timings["timeground"].wall_s
    for name, took in timings.items():
        print(
            f"{duration_s:5d} s file  {name:24s} {took.wall_s:8.2f} s {took.wall_s / ours_s:6.2f} x"
            f"   processor {took.cpu_s:8.2f} s {took.cpu_s / timings['timeground'].cpu_s:6.2f} x"
        )
    facts["seconds"] = {name: round(took.wall_s, 3) for name, took in timings.items()}
    facts["processor_seconds"] = {name: round(took.cpu_s, 3) for name, took in timings.items()}
    return facts


def main() -> None:
    """Run on each file and print the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a 10 s file, one turn")
    parser.add_argument("--lengths", type=int, nargs="+", default=[60, 1200], help="seconds of each file")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each side; the median counts")
    arguments = parser.parse_args()
    lengths, repeats = ([10], 1) if arguments.quick else (arguments.lengths, arguments.repeats)
    repair_torchvision()
    files = {duration_s: measure(duration_s, repeats) for duration_s in lengths}
    seconds = cast(dict[str, float], next(iter(files.values()))["seconds"])
    ours_s = seconds["timeground"]
    theirs_s = min(seconds[f"qwen-vl-utils {reader}"] for reader in QWEN_READERS)
    packages = versions("av", "torchcodec", "decord", "qwen-vl-utils", "torch", "torchvision")
    more = {f"file_{duration_s}s": facts for duration_s, facts in files.items()}
    ratio_ffmpeg = round(seconds["ffmpeg program"] / ours_s, 2)
    print_result("decode", theirs_s / ours_s, ours_s, theirs_s, ratio_ffmpeg=ratio_ffmpeg, **more, versions=packages)


if __name__ == "__main__":
    main()
