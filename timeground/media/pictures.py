"""Still pictures: their sizes, their pixels, and some of them as the frames of a clip."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch

from timeground.errors import UserError, VideoError
from timeground.media.clip import Clip
from timeground.media.containers.picture import Canvas
from timeground.media.limits import check_clip, check_frame, max_frame_pixels
from timeground.media.sampling import Sampling, frame_size

if TYPE_CHECKING:
    import PIL.Image

Picture: TypeAlias = "Path | bytes | PIL.Image.Image"
"""A file, the bytes of one, or what PIL has opened."""
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""Those that are read; PIL runs programs for some others."""
ORIENTATION_TAG = 0x0112


def picture_size(picture: Picture) -> tuple[int, int]:
    """Return height and width of a picture as it is shown; its pixels are not read.

    Raise VideoError if it cannot be read.
    """
    with _opened(picture) as image:
        width, height = image.size
        is_turned = image.getexif().get(ORIENTATION_TAG, 1) in (5, 6, 7, 8)
        return (width, height) if is_turned else (height, width)


def picture_pixels(
    picture: Picture, size: tuple[int, int] | None = None
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return one picture, upright, as RGB ``[h, w, 3]``, scaled with PIL's bicubic filter.

    Raise VideoError as `picture_size` does.
    """
    from PIL import Image, ImageOps

    with _opened(picture) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
        if size is not None and upright.size != (size[1], size[0]):
            upright = upright.resize((size[1], size[0]), Image.Resampling.BICUBIC)
        return np.asarray(upright, dtype=np.uint8)


def clip_of_pictures(
    pictures: Sequence[Picture], frame_times_s: Sequence[float], duration_s: float, sampling: Sampling
) -> Clip:
    """Return pictures as a clip with all of them, as large as the first one would be in a clip of so many.

    Raise VideoError if one cannot be read, or if they are too large.
    """
    name = _name(pictures[0])
    try:
        size = frame_size(*picture_size(pictures[0]), len(pictures), sampling)
    except VideoError:
        raise
    except UserError as error:
        raise VideoError(f"{name}: {error}") from error
    check_clip(name, len(pictures), *size)
    canvas = Canvas(len(pictures), size, 0)
    for place, picture in enumerate(pictures):
        canvas.paint_array(place, picture_pixels(picture, size))
    times_s = torch.tensor(frame_times_s, dtype=torch.float64)
    return Clip(canvas.pixels, times_s, 0.0, duration_s, duration_s, name)


@contextmanager
def _opened(picture: Picture) -> Iterator[PIL.Image.Image]:
    """Open a picture that is not too large, and say in one line what is wrong with it."""
    from PIL import Image

    name = _name(picture)
    try:
        file = io.BytesIO(picture) if isinstance(picture, bytes) else picture
        image = file if isinstance(file, Image.Image) else Image.open(file, formats=FORMATS)
        check_frame(name, *image.size)
        yield image
        if image is not picture:
            image.close()
    except Image.DecompressionBombError:
        raise _too_large(name) from None
    except (OSError, ValueError, SyntaxError) as error:
        raise VideoError(f"{name}: the picture cannot be read ({error}); replace it or leave it out") from error


def _too_large(name: str) -> VideoError:
    """Return the error of a picture that PIL itself will not open."""
    try:
        check_frame(name, max_frame_pixels() + 1, 1)
    except VideoError:
        return VideoError(
            f"{name}: more than {max_frame_pixels() / 1e6:g} million pixels; make it smaller, or leave it out"
        )
    return VideoError(f"{name}: the picture is too large")


def _name(picture: Picture) -> str:
    return str(picture) if isinstance(picture, Path) else "a picture"
