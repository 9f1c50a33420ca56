"""How large a picture, a clip and a fetched file may be: sizes are looked at before any pixel is made.

One setting, the environment variable ``TIMEGROUND_SIZE_LIMIT`` (1 by default), multiplies all limits. It reaches
worker processes, the demo and the pipeline alike.
"""

from __future__ import annotations

import math
import os

from timeground.errors import UserError, VideoError

SETTING = "TIMEGROUND_SIZE_LIMIT"
FRAME_PIXELS = 100_000_000
CLIP_BYTES = 2 << 30
FETCHED_BYTES = 4_000_000_000


def max_frame_pixels() -> int:
    """Return the most pixels of one frame, as it is stored."""
    return round(FRAME_PIXELS * _factor())


def max_fetched_bytes() -> int:
    """Return the most bytes of a video that is fetched from the network."""
    return round(FETCHED_BYTES * _factor())


def check_frame(name: str | os.PathLike[str], width: int, height: int) -> None:
    """Refuse a picture that is too large to decode. VideoError names the size and the setting."""
    if width * height > max_frame_pixels():
        raise VideoError(
            f"{os.fspath(name)}: its frames have {width} x {height} pixels, more than {max_frame_pixels() / 1e6:g} "
            f"million; make it smaller, or set {SETTING} to allow more (2 doubles it)"
        )


def check_clip(name: str | os.PathLike[str], num_frames: int, height: int, width: int) -> None:
    """Refuse a clip that would take too much memory. VideoError names the size and the setting."""
    num_bytes, limit = 3 * num_frames * height * width, CLIP_BYTES * _factor()
    if num_bytes > limit:
        raise VideoError(
            f"{os.fspath(name)}: {num_frames} frames of {width} x {height} pixels take {num_bytes / 1e9:.1f} GB, more "
            f"than {limit / 1e9:.1f}; look at fewer or smaller ones, or set {SETTING} to allow more (2 doubles it)"
        )


def _factor() -> float:
    text = os.environ.get(SETTING, "1")
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not 0 < factor < math.inf:
        raise UserError(f"{SETTING}={text!r}: give a positive number, 1 for the usual limits")
    return factor
