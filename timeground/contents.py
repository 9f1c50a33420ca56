"""What identifies the content of files."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

EDGE_BYTES = 64 * 1024


def video_contents(path: Path) -> str:
    """The identity of a video: SHA-256 over its size, its modification time and 64 KB at each end.

    Of a folder of pictures: over the names, sizes and times of its files. Raises OSError if it cannot be read.
    """
    found = hashlib.sha256()
    if path.is_dir():
        for file in sorted(p for p in path.iterdir() if p.is_file()):
            stat = file.stat()
            found.update(f"{file.name}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode(errors="surrogateescape"))
        return found.hexdigest()
    with path.open("rb") as video:
        stat = os.fstat(video.fileno())
        found.update(f"{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
        found.update(video.read(EDGE_BYTES))
        video.seek(max(0, stat.st_size - EDGE_BYTES))
        found.update(video.read(EDGE_BYTES))
    return found.hexdigest()
