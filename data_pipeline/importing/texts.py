"""Files of text, read within limits: nothing is held in memory before its size is known."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

from timeground.errors import UserError

MAX_FILE_BYTES = 512 << 20
"""Of a file that has to be read whole."""
MAX_LINE_BYTES = 16 << 20
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class TooLong:
    """Stands for a line of more than `MAX_LINE_BYTES`."""


def whole_text(path: Path, max_bytes: int = MAX_FILE_BYTES) -> str:
    """Return a file's text, UTF-8 or UTF-16 with its mark. Raise UserError if it is too large, or neither."""
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise UserError(f"{path}: {size >> 20} MB, and it has to be read whole: {max_bytes >> 20} MB are the most")
        content = path.read_bytes()
        return content.decode("utf-16" if content.startswith(UTF_16) else "utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"{path}:{line}: not UTF-8; save the file as UTF-8") from None


def raw_lines(path: Path) -> Iterator[tuple[int, bytes | TooLong]]:
    """Yield line numbers (from 1) with the bytes of each line, its end included, or what says that it is too long."""
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) <= MAX_LINE_BYTES:
                    yield number, line
                    continue
                while not line.endswith(b"\n") and (line := file.readline(MAX_LINE_BYTES)):
                    pass
                yield number, TooLong()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None


def text_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a text with their ends. Raise UserError at what is too long or not UTF-8."""
    with path.open("rb") as file:
        if file.read(2) in UTF_16:
            yield from whole_text(path).splitlines(keepends=True)
            return
    for number, line in raw_lines(path):
        if isinstance(line, TooLong):
            raise UserError(f"{path}:{number}: a line of more than {MAX_LINE_BYTES >> 20} MB; is this the right file?")
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise UserError(f"{path}:{number}: not UTF-8; save the file as UTF-8 (Excel: CSV UTF-8)") from None
