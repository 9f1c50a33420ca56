"""A folder of pictures as a video.

The pictures (jpg, jpeg, png, webp) are shown in the order of their names, numbers in them compared as
numbers. When they are shown:
* ``timestamps.json`` in the folder: a list of seconds, one per picture in that order, or an object from file
  name to seconds, or ``{"fps": 3.0}``;
* or ``timestamps.txt``: one number of seconds a line;
* or, without either, picture ``i`` is shown at ``i / fps``, by default 2 a second.
The last picture is shown for as long as the usual gap between two.
"""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from timeground.errors import VideoError
from timeground.media.containers.frame_index import Ints, Times, VideoInfo
from timeground.media.containers.picture import Canvas
from timeground.media.containers.tag import folder_tag
from timeground.media.pictures import picture_pixels, picture_size
from timeground.media.suffixes import SUFFIXES, VIDEO_SUFFIXES

TIMES_FILES = ("timestamps.json", "timestamps.txt")
DEFAULT_FOLDER_FPS = 2.0
MAX_FPS, MAX_TIME_S, MAX_TIMES_BYTES = 1000, 1e7, 64 << 20


@dataclass(frozen=True)
class FrameFolder:
    """The pictures of a folder in order of time."""

    info: VideoInfo
    files: list[Path]
    times_s: Times


def list_folder(path: str | os.PathLike[str], fps: float = DEFAULT_FOLDER_FPS) -> FrameFolder:
    """Return the pictures of a folder and their times.

    Raise VideoError if there are none, if the times do not fit them, or if videos lie in it: then the pictures are
    most likely strays, unless a file of times says that they are the frames of one.
    """
    folder = Path(path)
    files = pictures_in(folder)
    videos = [f for f in folder.iterdir() if f.suffix.lower() in VIDEO_SUFFIXES and not f.name.startswith(".")]
    if videos and not any((folder / name).exists() for name in TIMES_FILES):
        raise VideoError(
            f"{path}: a folder with {len(videos)} videos and {len(files)} pictures; a folder is read as the pictures "
            f"of one video. Give the video files themselves, for instance {folder / min(v.name for v in videos)}"
        )
    if not files:
        raise VideoError(f"{path}: a folder without pictures ({', '.join(sorted(SUFFIXES))}); give a video file")
    times_s, fps = _times(folder, files, fps)
    order = np.argsort(times_s, kind="stable")
    times_s, files = times_s[order], [files[int(i)] for i in order]
    gap_s = float(np.median(np.diff(times_s))) if len(files) > 1 else 1 / fps
    end_s = float(times_s[-1]) + gap_s
    height, width = picture_size(files[0])
    average_fps = len(files) / (end_s - float(times_s[0]))
    info = VideoInfo(
        end_s, len(files), width, height, average_fps, files[0].suffix[1:], "folder", 0, False, folder_tag(folder)
    )
    return FrameFolder(info, files, times_s)


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures of a folder by name, numbers in it compared as numbers."""
    found = (file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and not file.name.startswith("."))
    return sorted((file for file in found if file.is_file()), key=_natural)  # a fifo would be waited for


def read_folder(folder: FrameFolder, chosen: Ints, size: tuple[int, int]) -> torch.Tensor:
    """Return the chosen pictures as uint8 ``[T, 3, H, W]``, scaled with PIL's bicubic filter.

    Raise VideoError naming a picture that cannot be read.
    """
    canvas = Canvas(len(chosen), size, 0)
    for place, number in enumerate(chosen):
        canvas.paint_array(place, picture_pixels(folder.files[int(number)], size))
    return canvas.pixels


def _natural(file: Path) -> list[tuple[int, str]]:
    """Return a sorting key under which frame_2 comes before frame_10."""
    parts = re.split(r"([0-9]{1,100})", file.name)  # superscripts and other scripts' digits are letters here
    return [(int(part), "") if number % 2 else (-1, part) for number, part in enumerate(parts)]


def _times(folder: Path, files: list[Path], fps: float) -> tuple[Times, float]:
    """Return seconds at which each picture is shown, in the order of ``files``; and the rate they imply."""
    listed: object = None
    try:
        if (folder / "timestamps.json").exists():
            listed = json.loads(_text(folder / "timestamps.json")) or []  # null and {} hold no times
        elif (folder / "timestamps.txt").exists():
            listed = [float(line) for line in _text(folder / "timestamps.txt").split()]
    except (ValueError, OSError, RecursionError) as error:
        raise VideoError(f"{folder}: its timestamps file cannot be read: {error}") from error
    if isinstance(listed, dict) and set(listed) == {"fps"}:
        fps, listed = listed["fps"], None
    if listed is None:
        if not _is_number(fps) or not 1 / MAX_TIME_S <= fps <= MAX_FPS:
            raise VideoError(
                f"{folder}: fps must be a number from {1 / MAX_TIME_S:g} to {MAX_FPS}, got {str(fps)[:40]}"
            )
        return np.arange(len(files)) / fps, fps
    if isinstance(listed, dict):
        missing = [file.name for file in files if file.name not in listed]
        if missing:
            raise VideoError(f"{folder}: timestamps.json has no time for {missing[0]} ({len(missing)} such pictures)")
        listed = [listed[file.name] for file in files]
        return _checked(folder, listed, len(files)), fps
    times_s = _checked(folder, listed, len(files))
    if np.any(np.diff(times_s) < 0):
        raise VideoError(
            f"{folder}: its list of timestamps goes back, while the pictures stand in the order of their names; give "
            f'seconds by name: {{"{files[0].name}": {times_s[0]:g}, ...}}'
        )
    return times_s, fps


def _checked(folder: Path, listed: object, count: int) -> Times:
    """Return a list of times as an array, if it fits the pictures."""
    if not isinstance(listed, list) or len(listed) != count:
        length = len(listed) if isinstance(listed, list) else "no list"
        raise VideoError(f"{folder}: {count} pictures but {length} timestamps; give one per picture")
    if not all(_is_number(t) and 0 <= t <= MAX_TIME_S for t in listed):
        raise VideoError(f"{folder}: its timestamps must be seconds, from 0 to {MAX_TIME_S:.0f}")
    if len(set(listed)) != len(listed):
        raise VideoError(f"{folder}: two pictures have the same timestamp")
    return np.array(listed, dtype=np.float64)


def _text(file: Path) -> str:
    """Return a file of times. Raise ValueError if it is no such thing by its size."""
    if not file.is_file() or file.stat().st_size > MAX_TIMES_BYTES:
        raise ValueError(f"not a file of up to {MAX_TIMES_BYTES >> 20} MB")
    return file.read_text(encoding="utf-8")


def _is_number(value: object) -> bool:
    """Return True for a finite number; ``true`` and numbers of thousands of digits are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) if isinstance(value, float) else abs(value) < 1 << 62
