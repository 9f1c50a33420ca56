"""Which packets of an H.264 stream hold pictures that no other picture refers to.

Such a packet can be left out of decoding without changing a single pixel of the others. Containers can say
so, but few writers fill that field in; the bitstream itself always says it, in two bits of each slice's
header (``nal_ref_idc``, H.264 section 7.4.1), so this reads those.
"""

from __future__ import annotations

from collections.abc import Callable

START_CODE = b"\x00\x00\x01"
SLICE_TYPES = (1, 2, 5)  # non-IDR slice, slice data partition A, IDR slice
MAX_SCANNED_BYTES = 4096  # the first slice comes after a few small units; further in, do not look


def disposable_reader(codec: str, extradata: bytes | None) -> Callable[[memoryview], bool] | None:
    """Return a function telling whether a packet's picture is referred to by none, or None for other codecs."""
    if codec != "h264":
        return None
    if extradata and extradata[0] == 1 and len(extradata) > 4:
        length_size = (extradata[4] & 3) + 1
        return lambda data: _is_disposable_avcc(data, length_size)
    return _is_disposable_annexb


def _is_disposable_avcc(data: memoryview, length_size: int) -> bool:
    """Return whether units preceded by their length (mp4, mkv) are referred to by none."""
    position = 0
    while position + length_size < len(data):
        size = int.from_bytes(data[position : position + length_size], "big")
        header = data[position + length_size]
        if header & 31 in SLICE_TYPES:
            return header & 0x60 == 0
        position += length_size + size
    return False


def _is_disposable_annexb(data: memoryview) -> bool:
    """Return whether units preceded by start codes (MPEG-TS, AVI) are referred to by none."""
    head = bytes(data[:MAX_SCANNED_BYTES])
    position = head.find(START_CODE)
    while 0 <= position < len(head) - len(START_CODE):
        header = head[position + len(START_CODE)]
        if header & 31 in SLICE_TYPES:
            return header & 0x60 == 0
        position = head.find(START_CODE, position + len(START_CODE))
    return False
