"""How a stored picture is turned and mirrored to be shown, from the file's display matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_LOW = 0.1  # entries of the matrix below this share of a whole one are 0: other angles than quarter turns


def orientation(frame: VideoFrame) -> tuple[int, bool]:
    """Return the degrees counterclockwise (0, 90, 180, 270) of a frame's turn, and whether it is mirrored after that.

    Mirrored means left to right. Angles between quarter turns are rounded.
    """
    found = _of_matrix(_matrix(frame))
    return found if found is not None else (round(frame.rotation / 90) * 90 % 360, False)


def _matrix(frame: VideoFrame) -> npt.NDArray[np.float64] | None:
    """Return the turning part of the display matrix, ``[2, 2]``: where the stored axes x and y point to."""
    from av.sidedata.sidedata import Type

    data = cast(Any, frame.side_data).get(Type.DISPLAYMATRIX)
    if data is None or len(bytes(data)) < 36:
        return None
    numbers = np.frombuffer(bytes(data), dtype=np.int32, count=9).reshape(3, 3)
    return numbers[:2, :2].astype(np.float64) / 65536


def _of_matrix(matrix: npt.NDArray[np.float64] | None) -> tuple[int, bool] | None:
    """Return the quarter turn and the mirroring of a matrix of quarter turns; None for any other."""
    if matrix is None:
        return None
    signs = np.sign(np.where(np.abs(matrix) < _LOW, 0, matrix)).astype(int)
    (xx, xy), (yx, yy) = signs.tolist()
    picture = np.arange(6).reshape(2, 3)  # rows go down, as y does
    if xx and yy and not (xy or yx):
        shown = picture[::yy, ::xx]
    elif xy and yx and not (xx or yy):
        shown = picture.T[::xy, ::yx]
    else:
        return None
    for is_mirrored in (False, True):
        for quarter_turns in range(4):
            if np.array_equal(turned(picture, 90 * quarter_turns, is_mirrored), shown):
                return 90 * quarter_turns, is_mirrored
    return None


def turned(picture: npt.NDArray[np.generic], rotation: int, is_mirrored: bool) -> npt.NDArray[np.generic]:
    """Return a picture ``[h, w, ...]`` as it is shown."""
    upright = np.rot90(picture, rotation // 90)
    return np.fliplr(upright) if is_mirrored else upright
