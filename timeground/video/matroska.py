"""Whether a Matroska or WebM file is shorter than it says.

FFmpeg reads a file that was cut short up to the cut and reports a normal end; the file's own header knows
better.
"""

from __future__ import annotations

import os

EBML_ID, SEGMENT_ID = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
HEAD_BYTES = 4096


def missing_bytes(path: str | os.PathLike[str]) -> int:
    """How many bytes the file lacks of what its header announces; 0 if none, or if it announces nothing."""
    with open(path, "rb") as file:
        head = file.read(HEAD_BYTES)
    if not head.startswith(EBML_ID):
        return 0
    position = len(EBML_ID)
    size, length = _number(head, position)
    position += length + (size or 0)
    if head[position : position + len(SEGMENT_ID)] != SEGMENT_ID:
        return 0
    position += len(SEGMENT_ID)
    size, length = _number(head, position)
    if size is None:  # a live recording, of no set length
        return 0
    return max(0, position + length + size - os.path.getsize(path))


def _number(data: bytes, position: int) -> tuple[int | None, int]:
    """A number of variable length and how many bytes it takes; None for the reserved 'unknown'."""
    first = data[position] if position < len(data) else 0
    length = 9 - first.bit_length()
    bits = 7 * length
    value = int.from_bytes(data[position : position + length], "big") & ((1 << bits) - 1)
    return (None if first == 0 or value == (1 << bits) - 1 else value), length
