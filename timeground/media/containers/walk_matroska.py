"""Walks the elements of a Matroska or WebM file (RFC 9559): the blocks of each cluster, one after the other."""

from __future__ import annotations

from timeground.media.containers.file_bytes import FileBytes

SEGMENT, CLUSTER = b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"
KNOWN = {
    *map(bytes.fromhex, ("114d9b74", "1549a966", "1654ae6b", "1c53bb6b", "1254c367", "1941a469", "1043a770")),
    *map(bytes.fromhex, ("ec", "bf", "e7", "5854", "a7", "ab", "a3", "a0", "af", "1b538667")),
}


def walk(file: FileBytes) -> int | None:
    """Return the byte from which the file is not what it announces, or None."""
    _, position, end = _element(file, 0)
    if end is None:
        return None
    kind, position, end = _element(file, end)
    if kind != SEGMENT:
        return None
    if end is not None and end > file.size:
        return file.size
    last = file.size if end is None else end
    while position < last:
        kind, inside, end = _element(file, position)
        if kind in (CLUSTER, SEGMENT):  # a Segment too, where recordings were joined
            position = inside
        elif kind in KNOWN and end is not None:
            position = end
        else:
            return position
    return file.end_if(position > last)


def _element(file: FileBytes, position: int) -> tuple[bytes, int, int | None]:
    """Return the id of an element, where its content begins, and where it ends; None: it does not say."""
    head = file.at(position, 12)
    id_length = 9 - head[0].bit_length() if head else 9
    if id_length > 4 or len(head) <= id_length:
        return b"", position, None
    first = head[id_length]
    length = 9 - first.bit_length()
    bits = 7 * length
    size = int.from_bytes(head[id_length : id_length + length], "big") & ((1 << bits) - 1)
    inside = position + id_length + length
    unknown = first == 0 or size == (1 << bits) - 1
    return head[:id_length], inside, None if unknown else inside + size
