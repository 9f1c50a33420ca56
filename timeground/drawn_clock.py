"""Reading back the time that `timecode.draw_times` drew on frames, by drawing every candidate anew."""

from __future__ import annotations

import math

import numpy as np
import torch

from timeground.clock import read_clock_s

TENTH_S = 0.1


def drawn_times_s(drawn_TCHW: torch.Tensor, plain_TCHW: torch.Tensor, duration_s: float) -> list[float]:
    """The time in seconds that is drawn on each of ``[T, 3, H, W]`` frames, NaN where it cannot be read.

    plain_TCHW: the same frames with nothing drawn on them. The stamps tried are those from 0 to ``duration_s``,
    the ones near to what the frame's blocks show first. They are drawn here, not by `timecode`, so that a wrong
    stamp is not excused by the code that drew it.
    """
    return [_read(drawn, plain, duration_s) for drawn, plain in zip(drawn_TCHW, plain_TCHW, strict=True)]


def _read(drawn: torch.Tensor, plain: torch.Tensor, duration_s: float) -> float:
    """The stamp whose picture is the one that was drawn."""
    near_s = read_clock_s(plain) or 0.0
    tenths = sorted(range(math.ceil(duration_s / TENTH_S) + 1), key=lambda n: abs(n * TENTH_S - near_s))
    wanted = drawn.permute(1, 2, 0).numpy()
    base = plain.permute(1, 2, 0).contiguous().numpy()
    for tenth in tenths:
        if np.array_equal(_draw(base, f"{tenth * TENTH_S:.1f}s"), wanted):
            return tenth * TENTH_S
    return math.nan


def _draw(picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], text: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A stamp in the lower left corner, white with a black rim."""
    from PIL import Image, ImageDraw, ImageFont

    height = picture.shape[0]
    font = ImageFont.load_default(size=max(8, height // 8))
    image = Image.fromarray(picture)
    ImageDraw.Draw(image).text(
        (2, height - 2), text, font=font, anchor="lb", fill="white", stroke_width=1, stroke_fill="black"
    )
    return np.array(image)
