"""Reading chosen frames with torchcodec, where it is right: not on edit lists and transport streams."""

from __future__ import annotations

import os

import torch

from timeground.errors import VideoError
from timeground.media.containers.frame_index import FrameIndex, Ints
from timeground.media.decoders.foreign import check_count, check_times, chunk_frames, not_installed, refuse, scale


def read_torchcodec(
    path: str | os.PathLike[str], index: FrameIndex, chosen: Ints, size: tuple[int, int], num_threads: int = 0
) -> torch.Tensor:
    """Return the chosen frames (numbers in the index, ascending) as uint8 ``[T, 3, H, W]``.

    Raise VideoError if the file cannot be read, also where torchcodec would give other frames than the file shows.
    """
    try:
        from torchcodec.decoders import VideoDecoder
    except (ImportError, RuntimeError, OSError) as error:
        raise not_installed("torchcodec") from error
    if index.packets.is_hidden.any():
        raise refuse(path, "torchcodec", "it was cut without re-encoding (an edit list)")
    if index.info.is_mirrored:
        raise refuse(path, "torchcodec", "it is stored mirrored")
    if index.info.rotation == 180:
        raise refuse(path, "torchcodec", "it is stored upside down, which some of its versions turn and others do not")
    try:
        decoder = VideoDecoder(
            os.path.abspath(path), stream_index=index.stream, num_ffmpeg_threads=num_threads, seek_mode="exact"
        )
        check_count(path, "torchcodec", index, int(decoder.metadata.num_frames or 0))
        return _read_chunks(path, decoder, index, chosen, size)
    except (RuntimeError, ValueError, IndexError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise VideoError(f"{path}: torchcodec cannot read it ({reason}); use the reader 'pyav'") from error


def _read_chunks(
    path: str | os.PathLike[str], decoder: object, index: FrameIndex, chosen: Ints, size: tuple[int, int]
) -> torch.Tensor:
    """Read, check and scale some frames at a time, so that full-size frames do not pile up."""
    info = index.info
    stored = (info.width, info.height) if info.rotation % 180 else (info.height, info.width)
    out = torch.empty((len(chosen), 3, *size), dtype=torch.uint8)
    step = chunk_frames(index)
    for first in range(0, len(chosen), step):
        part = chosen[first : first + step]
        batch = decoder.get_frames_at(indices=part.tolist())  # type: ignore[attr-defined]
        check_times(path, "torchcodec", index, part, batch.pts_seconds.numpy())
        # torchcodec itself may turn the frames: those that come upright are left alone
        out[first : first + len(part)] = scale(batch.data, size, info.rotation, stored)
    return out
