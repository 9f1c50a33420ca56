"""Reading chosen frames with decord, the field's old reader: when asked for, and where it is right."""

from __future__ import annotations

import os

import torch

from timeground.errors import VideoError
from timeground.media.containers.frame_index import FrameIndex, Ints
from timeground.media.decoders.foreign import check_count, check_times, chunk_frames, not_installed, refuse, scale


def read_decord(
    path: str | os.PathLike[str], index: FrameIndex, chosen: Ints, size: tuple[int, int], num_threads: int = 0
) -> torch.Tensor:
    """Return the chosen frames (numbers in the index, ascending) as uint8 ``[T, 3, H, W]``.

    Raise VideoError if the file cannot be read, also where decord would give other frames than the file shows.
    """
    try:
        import decord
    except ImportError as error:
        raise not_installed("decord") from error
    reason = why_wrong(index)
    if reason:
        raise refuse(path, "decord", reason)
    try:
        reader = decord.VideoReader(os.path.abspath(path), num_threads=num_threads)
        check_count(path, "decord", index, len(reader))
        check_times(path, "decord", index, chosen, [float(reader.get_frame_timestamp(int(i))[0]) for i in chosen])
        out = torch.empty((len(chosen), 3, *size), dtype=torch.uint8)
        step = chunk_frames(index)
        for first in range(0, len(chosen), step):
            part = chosen[first : first + step]
            pictures = torch.from_numpy(reader.get_batch(part.tolist()).asnumpy()).permute(0, 3, 1, 2)
            out[first : first + len(part)] = scale(pictures, size, 0, (0, 0))
        return out
    except (RuntimeError, decord._ffi.base.DECORDError) as error:
        raise VideoError(f"{path}: decord cannot read it; use the reader 'pyav', whose message says more") from error


def why_wrong(index: FrameIndex) -> str | None:
    """Return why decord 0.6.0 is wrong on a file, as measured; None where it is right."""
    if index.packets.is_hidden.any():
        return "it was cut without re-encoding (an edit list), and decord shows the hidden frames too"
    if index.info.container == "mpegts":
        return "it is an MPEG transport stream, where decord gives other frames"
    if index.info.rotation or index.info.is_mirrored:
        return "it is stored turned or mirrored, and decord shows it so"
    if index.by_decoding:
        return "its container does not say when frames are shown"
    if index.has_open_gops:
        return "it has open groups of pictures, where decord is a frame late"
    return None
