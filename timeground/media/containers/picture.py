"""A decoded frame to RGB pixels of the final size, in one step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from timeground.media.containers.orientation import turned

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

PLANE_CHANNELS = (1, 2, 0)  # FFmpeg's planar RGB keeps green, blue, red


class Canvas:
    """Where the frames of a clip are painted: ``pixels`` is uint8 ``[T, 3, H, W]``, RGB.

    FFmpeg's swscale converts and scales in one pass, with a bicubic filter that is widened when shrinking (as
    qwen-vl-utils' antialiased bicubic is), straight into one plane per colour: no float copy and no
    transposing. The picture is then turned as the file says. Non-square pixels are taken as square, as other
    readers do.
    """

    def __init__(self, num_frames: int, size: tuple[int, int], rotation: int, is_mirrored: bool = False) -> None:
        """Make room for ``num_frames`` frames of ``size`` (height, width, as shown)."""
        from av.video.reformatter import Interpolation, VideoReformatter

        self.pixels = torch.empty((num_frames, 3, *size), dtype=torch.uint8)
        self._array = self.pixels.numpy()
        self._stored_size = size if rotation % 180 == 0 else size[::-1]
        self._rotation, self._is_mirrored = rotation, is_mirrored
        self._reformatter = VideoReformatter()
        self._interpolation = Interpolation.BICUBIC

    def paint(self, place: int, frame: VideoFrame) -> None:
        """Put a decoded frame at ``place``."""
        height, width = self._stored_size
        scaled = self._reformatter.reformat(
            frame, width=width, height=height, format="gbrp", interpolation=self._interpolation, threads=1
        )
        for channel, plane in zip(PLANE_CHANNELS, scaled.planes, strict=True):
            rows = np.frombuffer(memoryview(plane), dtype=np.uint8).reshape(-1, plane.line_size)
            self._put(place, channel, rows[:height, :width])

    def paint_array(self, place: int, picture: npt.NDArray[np.uint8]) -> None:
        """Put RGB pixels ``[h, w, 3]`` of the final size, not yet turned, at ``place``."""
        for channel in range(3):
            self._put(place, channel, picture[:, :, channel])

    def _put(self, place: int, channel: int, plane: npt.NDArray[np.uint8]) -> None:
        """Turn one colour plane upright and keep it."""
        self._array[place, channel] = turned(plane, self._rotation, self._is_mirrored)
