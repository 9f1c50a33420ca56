"""Whether a file holds all that it announces, by its container's own structure.

FFmpeg reads a file that was cut short up to the cut, and over a damaged part, and reports a normal end. The containers
know better: sizes, page numbers and end marks say where something is missing. Transport and program streams (ts, mpg)
announce nothing; one that was cut between packets cannot be told from a whole one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

EBML_ID, SEGMENT_ID, CLUSTER_ID = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"
LEVEL_1_IDS = frozenset(
    bytes.fromhex(name) for name in ("114d9b74", "ec", "bf", "1549a966", "1654ae6b", "1254c367", "1c53bb6b", "1941a469")
) | {CLUSTER_ID, bytes.fromhex("1043a770")}
ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
HEAD_BYTES = 1 << 16
TS_PACKET_BYTES = 188


def first_break(path: str | os.PathLike[str], container: str) -> int | None:
    """The byte from which a file is not what it announces (its end, if it was cut short); None if it is whole.

    container: FFmpeg's name of it. What has no such structure, or announces nothing, counts as whole.
    """
    check = next((check for name, check in _CHECKS.items() if name in container.split(",")), None)
    if check is None:
        return None
    with Path(path).open("rb") as file:
        return check(file, os.fstat(file.fileno()).st_size)


def _matroska(file: BinaryIO, size: int) -> int | None:
    """Walk the top elements of the segment: each must be one of the known kinds and lie in the file."""
    head = file.read(64)
    if not head.startswith(EBML_ID):
        return None
    length, num = _number(head, 4)
    at = 4 + num + (length or 0)
    if head[at : at + 4] != SEGMENT_ID:
        return None
    length, num = _number(head, at + 4)
    if length is None:  # a live recording, of no set length
        return None
    at, end = at + 4 + num, at + 4 + num + length
    while at < end:
        if at >= size:
            return size
        file.seek(at)
        piece = file.read(16)
        id_length = 9 - piece[0].bit_length() if piece else 9
        if piece[:id_length] not in LEVEL_1_IDS:
            return at
        length, num = _number(piece, id_length)
        if length is None:  # a cluster of unknown length: nothing more can be told
            return None
        at += id_length + num + length
    return size if end > size else None


def _number(data: bytes, position: int) -> tuple[int | None, int]:
    """A number of variable length and how many bytes it takes; None for the reserved 'unknown'."""
    first = data[position] if position < len(data) else 0
    length = 9 - first.bit_length()
    bits = 7 * length
    value = int.from_bytes(data[position : position + length], "big") & ((1 << bits) - 1)
    return (None if first == 0 or value == (1 << bits) - 1 else value), length


def _mp4(file: BinaryIO, size: int) -> int | None:
    """Walk the top boxes: the last one must end with the file."""
    at = 0
    for at_box, length in mp4_boxes(file, size):
        at = at_box + length
    return size if at > size else None


def mp4_boxes(file: BinaryIO, size: int) -> list[tuple[int, int]]:
    """Place and length of each top box, until one cannot be read."""
    found: list[tuple[int, int]] = []
    at = 0
    while at + 8 <= size and len(found) < 1_000_000:
        file.seek(at)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length == 0:
            length = size - at
        if length < 8:
            break
        found.append((at, length))
        at += length
    return found


def has_box(path: str | os.PathLike[str], name: bytes) -> bool:
    """Whether an mp4 has a top box of this name."""
    with Path(path).open("rb") as file:
        for at, _ in mp4_boxes(file, os.fstat(file.fileno()).st_size):
            file.seek(at + 4)
            if file.read(4) == name:
                return True
    return False


def _avi(file: BinaryIO, size: int) -> int | None:
    """Walk the RIFF lists: the last one must end with the file; one of no length was never finished."""
    at = 0
    while at + 12 <= size:
        file.seek(at)
        head = file.read(8)
        length = int.from_bytes(head[4:], "little")
        if head[:4] != b"RIFF" or length == 0:
            return None
        at += 8 + length + length % 2
    return size if at > size + 1 else None


def _ogg(file: BinaryIO, size: int) -> int | None:
    """Walk the pages: they follow each other, are numbered, and the last of each stream says so."""
    at, numbers, ended = 0, dict[bytes, int](), set[bytes]()
    while at < size:
        file.seek(at)
        head = file.read(27)
        if len(head) < 27:
            return size
        if not head.startswith(b"OggS"):
            return at
        serial, number = head[14:18], int.from_bytes(head[18:22], "little")
        if serial in numbers and number != numbers[serial] + 1:
            return at
        numbers[serial] = number
        ended |= {serial} if head[5] & 4 else set()
        lacing = file.read(head[26])
        if len(lacing) < head[26]:
            return size
        at += 27 + head[26] + sum(lacing)
    return size if at > size or set(numbers) - ended else None


def _gif(file: BinaryIO, size: int) -> int | None:
    """The last byte is the trailer (zeros may follow it)."""
    file.seek(max(0, size - 64))
    return None if file.read().rstrip(b"\0").endswith(b";") else size


def _flv(file: BinaryIO, size: int) -> int | None:
    """The last four bytes are the length of the last tag, which stands before them."""
    file.seek(max(0, size - 4))
    length = int.from_bytes(file.read(), "big")
    if not 11 <= length <= size - 4:
        return size
    file.seek(size - 4 - length)
    head = file.read(4)
    is_tag = head[:1] in (b"\x08", b"\x09", b"\x12") and int.from_bytes(head[1:4], "big") + 11 == length
    return None if is_tag else size


def _asf(file: BinaryIO, size: int) -> int | None:
    """The header says how long the file is (0 in a broadcast)."""
    head = file.read(HEAD_BYTES)
    at = head.find(ASF_PROPERTIES)
    return size if at >= 0 and int.from_bytes(head[at + 40 : at + 48], "little") > size else None


def _ts(file: BinaryIO, size: int) -> int | None:
    """The file is whole packets."""
    file.seek(0)
    starts = file.read(TS_PACKET_BYTES + 1)
    is_plain = starts[:1] == b"\x47" and starts[TS_PACKET_BYTES:] == b"\x47"
    return size if is_plain and size % TS_PACKET_BYTES else None


_CHECKS: dict[str, Callable[[BinaryIO, int], int | None]] = {
    "matroska": _matroska,
    "mov": _mp4,
    "avi": _avi,
    "ogg": _ogg,
    "gif": _gif,
    "flv": _flv,
    "asf": _asf,
    "mpegts": _ts,
}
