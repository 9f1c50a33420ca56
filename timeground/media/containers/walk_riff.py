"""Walks the chunks of an AVI file: RIFF lists, and in them the pieces of picture and sound."""

from __future__ import annotations

from timeground.media.containers.file_bytes import FileBytes

OPENED_LISTS = (b"movi", b"rec ")
UNKNOWN_SIZES = (0, 0xFFFFFFFF)


def walk(file: FileBytes) -> int | None:
    """Return the byte from which the file is not what it announces, or None; stray bytes at the end are taken."""
    position = 0
    while file.at(position, 4) == b"RIFF":
        size = int.from_bytes(file.at(position + 4, 4), "little")
        if size in UNKNOWN_SIZES:  # a live recording
            return _walk_chunks(file, position + 12, file.size)
        end = position + 8 + size
        if end > file.size:
            return file.size
        if (wrong := _walk_chunks(file, position + 12, end)) is not None:
            return wrong
        position = end + size % 2
    return None


def _walk_chunks(file: FileBytes, position: int, last: int) -> int | None:
    while position + 8 <= last:
        head = file.at(position, 12)
        kind, size = head[:4], int.from_bytes(head[4:8], "little")
        if not (kind.isascii() and kind.decode().isprintable()):
            return position
        if kind == b"LIST" and head[8:12] in OPENED_LISTS:
            position += 12
            continue
        position += 8 + size + size % 2
    return file.end_if(position > last + 1)
