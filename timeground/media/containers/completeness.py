"""Whether a file holds all that it announces, told from the container's own structure.

FFmpeg reads a file that was cut short up to the cut, steps over a damaged stretch, and reports a normal end; the
times then have a hole that looks like a picture standing still. Here the headers of a file's parts are walked, from
each to the next; the parts themselves are not read. What announces nothing (a transport stream that ends between two
packets, a live recording) is as long as it is.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable

import numpy as np

from timeground.media.containers import walk_matroska, walk_pages, walk_riff
from timeground.media.containers.file_bytes import FileBytes

GIF_TRAILER, GIF_IMAGE, GIF_EXTENSION = 0x3B, 0x2C, 0x21
TS_SYNC = 0x47
TS_PACKETS = ((0, 188), (4, 192), (0, 204))  # where the sync byte stands, and the size


def first_break(path: str | os.PathLike[str]) -> int | None:
    """Return the byte from which a file is not what it announces (its end, if cut short); None if it is whole."""
    with FileBytes(path) as file:
        head = file.at(0, 16)
        for starts, walk in WALKS:
            if starts(head):
                return walk(file)
        return _cut_packet(file)


def has_moov(path: str | os.PathLike[str]) -> bool:
    """Return whether an mp4 has its index, as far as its boxes can be followed."""
    with FileBytes(path) as file:
        position = 0
        while position < file.size:
            kind, length = _box(file, position)
            if kind == b"moov":
                return True
            if length < 8:
                return False
            position += length
    return False


def _box(file: FileBytes, position: int) -> tuple[bytes, int]:
    """Return type and length of an mp4 box; a length of 0 means that there is none."""
    head = file.at(position, 16)
    if len(head) < 8 or not head[4:8].isascii():
        return b"", 0
    length = int.from_bytes(head[:4], "big")
    if length == 1:
        length = int.from_bytes(head[8:16], "big")
    return head[4:8], length if length else file.size - position


def _walk_boxes(file: FileBytes) -> int | None:
    """Walk an mp4's, mov's or 3gp's boxes up to the end; stray bytes after the last are taken."""
    position = 0
    while position < file.size:
        kind, length = _box(file, position)
        if length < 8 or not kind.isalnum():
            return None
        position += length
    return file.end_if(position > file.size)


def _walk_gif(file: FileBytes) -> int | None:
    """Walk a GIF's blocks up to the trailer."""
    head = file.at(0, 13)
    if len(head) < 13:
        return file.size
    position = 13 + _colours(head[10])
    while position < file.size:
        kind = file.at(position, 1)[0]
        if kind == GIF_TRAILER:
            return None
        if kind == GIF_IMAGE:
            descriptor = file.at(position, 10)
            position += 11 + (_colours(descriptor[9]) if len(descriptor) == 10 else 0)
        elif kind == GIF_EXTENSION:
            position += 2
        else:
            return position
        while position < file.size and (length := file.at(position, 1)[0]):
            position += 1 + length
        position += 1
    return file.size


def _colours(flags: int) -> int:
    """Return bytes of a colour table."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _cut_packet(file: FileBytes) -> int | None:
    """Walk an MPEG transport stream: each packet begins with the same byte, and it ends between two packets."""
    for first, size in TS_PACKETS:
        if file.size > 4 * size and all(file.at(first + n * size, 1) == b"\x47" for n in range(4)):
            stray = np.flatnonzero(np.memmap(file.path, dtype=np.uint8, mode="r")[first::size] != TS_SYNC)
            return int(stray[0]) * size if len(stray) else file.end_if(file.size % size > 0)
    return None


def _walk_asf(file: FileBytes) -> int | None:
    """Walk a wmv or asf: the header says how long the file and each of its packets is."""
    header = file.at(0, 1 << 16)
    at = header.find(ASF_PROPERTIES)
    if at < 0 or len(header) < at + 104:
        return None
    announced = int.from_bytes(header[at + 40 : at + 48], "little")
    flags, packet, largest = struct.unpack_from("<3I", header, at + 88)
    if flags & 1:  # a broadcast: its numbers mean nothing
        return None
    if announced > file.size:
        return file.size
    first = int.from_bytes(header[16:24], "little")
    length = int.from_bytes(file.at(first + 16, 8), "little")
    position, end = first + 50, min(first + length, file.size)
    mark = file.at(position, 1)
    while packet == largest > 0 and mark == b"\x82" and position + packet <= end:
        if file.at(position, 1) != mark:
            return position
        position += packet
    return None


ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
ASF_HEADER = bytes.fromhex("3026b2758e66cf11")
WALKS: tuple[tuple[Callable[[bytes], bool], Callable[[FileBytes], int | None]], ...] = (
    (lambda head: head.startswith(b"\x1a\x45\xdf\xa3"), walk_matroska.walk),
    (lambda head: head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"styp"), _walk_boxes),
    (lambda head: head.startswith(b"RIFF") and head[8:12] == b"AVI ", walk_riff.walk),
    (lambda head: head.startswith(b"FLV"), walk_pages.walk_flv),
    (lambda head: head.startswith(b"OggS"), walk_pages.walk_ogg),
    (lambda head: head.startswith(ASF_HEADER), _walk_asf),
    (lambda head: head.startswith((b"GIF87a", b"GIF89a")), _walk_gif),
)
