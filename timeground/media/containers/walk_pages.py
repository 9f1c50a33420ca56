"""Walks the tags of an FLV file and the pages of an Ogg file."""

from __future__ import annotations

import math
import struct

from timeground.media.containers.file_bytes import FileBytes

FLV_TAGS = (8, 9, 18)
FLV_SCRIPT = 18
METADATA_BYTES = 1 << 16
MAX_MISSING_S = 1.0  # a duration in the metadata may count to the end of a long last frame
OGG_FIRST, OGG_LAST = 2, 4


def walk_flv(file: FileBytes) -> int | None:
    """Walk an FLV: tags follow each other, up to the size and time that the metadata say."""
    position, last_s, metadata = int.from_bytes(file.at(5, 4), "big") + 4, 0.0, b""
    while position < file.size:
        tag = file.at(position, 11)
        if len(tag) < 11:
            return file.size
        if tag[0] & 31 not in FLV_TAGS:
            return position
        size = int.from_bytes(tag[1:4], "big")
        if tag[0] & 31 == FLV_SCRIPT and not metadata:
            metadata = file.at(position + 11, min(size, METADATA_BYTES))
        last_s = max(last_s, int.from_bytes(tag[7:8] + tag[4:7], "big") / 1000)
        position += 11 + size
        if position > file.size:
            return file.size
        position += 4
    lost_s = _number(metadata, b"duration") - last_s
    return file.end_if(_number(metadata, b"filesize") > file.size or lost_s > MAX_MISSING_S)


def _number(metadata: bytes, name: bytes) -> float:
    """Return a number among an FLV's metadata; 0 if it is not there."""
    at = metadata.find(name + b"\0")
    value = metadata[at + len(name) + 1 : at + len(name) + 9]
    number: float = struct.unpack(">d", value)[0] if at >= 0 and len(value) == 8 else 0.0
    return number if math.isfinite(number) else 0.0


def walk_ogg(file: FileBytes) -> int | None:
    """Walk an Ogg: no page of a stream is left out, and each stream has its last."""
    position, numbers, open_streams = 0, dict[bytes, int](), set[bytes]()
    while position < file.size:
        page = file.at(position, 27)
        if len(page) < 27:
            return file.size
        if page[:4] != b"OggS":
            return position
        stream, number = page[14:18], int.from_bytes(page[18:22], "little")
        if numbers.get(stream, number - 1) != number - 1:
            return position
        numbers[stream] = number
        if page[5] & OGG_FIRST:
            open_streams.add(stream)
        if page[5] & OGG_LAST:
            open_streams.discard(stream)
        sizes = file.at(position + 27, page[26])
        position += 27 + page[26] + sum(sizes)
        if position > file.size:
            return file.size
    return file.end_if(bool(open_streams))
