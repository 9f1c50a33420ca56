"""A file's bytes by their places, for the walks through containers."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType


class FileBytes:
    """An open file."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file = self.path.open("rb")
        self.size = os.fstat(self._file.fileno()).st_size
        """In bytes."""

    def __enter__(self) -> FileBytes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def at(self, position: int, count: int) -> bytes:
        """Return bytes from a place on; fewer at the end of the file."""
        return os.pread(self._file.fileno(), count, position)

    def end_if(self, is_short: bool) -> int | None:
        """Return the end of the file, if something is missing after it."""
        return self.size if is_short else None
