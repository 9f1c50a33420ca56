"""What the readers other than PyAV share: checking what they see, and scaling their frames."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import torch

from timeground.errors import UserError, VideoError
from timeground.media.containers.frame_index import FrameIndex, Ints, Times

CHUNK_BYTES = 256 << 20  # of full-size frames held at a time, and at most
CHUNK_FRAMES = 32
SAME_TIME_S = 2e-3  # readers round times to the container's units, at most a millisecond


def not_installed(package: str) -> UserError:
    """Return the error of an optional reader that is not there."""
    return UserError(f"the {package} reader is not installed (pip install {package}); or use the reader 'pyav'")


def refuse(path: str | os.PathLike[str], reader: str, reason: str) -> VideoError:
    """Return the error of a reader that would give wrong frames or times for this file."""
    return VideoError(f"{path}: {reader} cannot be trusted with this file: {reason}; use the reader 'pyav'")


def check_count(path: str | os.PathLike[str], reader: str, index: FrameIndex, seen: int) -> None:
    """Raise VideoError unless the reader sees as many frames as are shown."""
    if seen != index.info.num_frames:
        raise refuse(path, reader, f"it counts {seen} frames where {index.info.num_frames} are shown")


def check_times(
    path: str | os.PathLike[str],
    reader: str,
    index: FrameIndex,
    chosen: Ints,
    seen_s: Sequence[float] | Times,
) -> None:
    """Raise VideoError unless the reader's own times for the chosen frames are the file's.

    seen_s: seconds by the file's clock, or counted from the first frame.
    """
    expected_s = index.times_s[chosen]
    raw_start_s = index.raw_start_s
    seen = np.asarray(seen_s, dtype=np.float64)
    error_s = min(float(np.abs(seen - raw_start_s - expected_s).max()), float(np.abs(seen - expected_s).max()))
    if error_s > SAME_TIME_S:
        raise refuse(path, reader, f"its times are off by {error_s:.3f} s")


def chunk_frames(index: FrameIndex) -> int:
    """Return how many full-size frames to hold at a time."""
    return max(1, min(CHUNK_FRAMES, CHUNK_BYTES // (3 * index.info.width * index.info.height)))


def scale(pictures: torch.Tensor, size: tuple[int, int], rotation: int, stored: tuple[int, int]) -> torch.Tensor:
    """Turn and scale full-size frames, uint8 ``[n, 3, h, w]``, with antialiased bicubic like qwen-vl-utils.

    stored: height and width before rotation; frames of that very size have not been turned yet.
    """
    if rotation and tuple(pictures.shape[-2:]) == stored:
        pictures = torch.rot90(pictures, rotation // 90, (2, 3))
    if tuple(pictures.shape[-2:]) == size:
        return pictures
    return torch.nn.functional.interpolate(pictures, size=size, mode="bicubic", antialias=True)
