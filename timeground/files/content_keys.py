"""What identifies the content of models, videos and rows: a kept result names what it was made from.

Nothing that an earlier run kept is used again unless its inputs are the same in content: weights and processor by
the SHA-256 of their files, rows by what they say, videos by size, time and both ends, our code by ``CODE_VERSION``.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from timeground.data.rows import Row
from timeground.errors import OutputError
from timeground.files.whole_files import write_text
from timeground.models.names import model_folder

CODE_VERSION = 1
"""Raised whenever a change of our code can change answers, rows or scores that runs keep."""

EDGE_BYTES = 64 * 1024
MODEL_FILES = ("*.safetensors", "*.json", "*.jinja", "*.txt", "*.model", "*.py")
PROFILE_NAME = "grounding_config.json"
"""Of the files of a model the one that says how it is asked."""
SAID_FROM_BYTES = 2 << 30
"""Before this much is read for the first time, a line says so."""


def video_contents(path: Path) -> str:
    """Return the identity of a video: SHA-256 over its size, its modification time and 64 KB at each end.

    Of a folder of pictures: over the names, sizes and times of its files. Raise OSError if it cannot be read.
    """
    found = hashlib.sha256()
    if path.is_dir():
        for picture in sorted(p for p in path.iterdir() if p.is_file()):
            stat = picture.stat()
            found.update(f"{picture.name}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode(errors="surrogateescape"))
        return found.hexdigest()
    with path.open("rb") as file:
        stat = os.fstat(file.fileno())
        found.update(f"{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
        found.update(file.read(EDGE_BYTES))
        file.seek(max(0, stat.st_size - EDGE_BYTES))
        found.update(file.read(EDGE_BYTES))
    return found.hexdigest()


def video_contents_or_missing(path: Path) -> str:
    """Return the identity of a video, or "" where there is none that can be read."""
    try:
        return video_contents(path)
    except OSError:
        return ""


def rows_contents(rows: Iterable[Row]) -> str:
    """Return the identity of rows: SHA-256 over all that they say, in their order."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row.to_json(), sort_keys=True).encode())
    return digest.hexdigest()


def path_contents(path: Path) -> str:
    """Return the identity of an annotation file, or of all files below a folder; "" where there is none."""
    if path.is_file():
        return file_contents(path)
    return _of_files(sorted(p for p in path.rglob("*") if p.is_file()), path) if path.is_dir() else ""


def model_contents(name: str, revision: str | None = None) -> str:
    """Return the identity of a model: SHA-256 over its weights, configuration and processor; "" without files.

    name: ``tiny``, a folder, or a Hub id that is in transformers' cache. Of a server's model nothing can be told.
    """
    folder = model_folder(name, revision)
    if folder is None:
        return ""
    files = sorted({file for pattern in MODEL_FILES for file in folder.glob(pattern) if file.is_file()})
    return _of_files(files, folder)


def profile_contents(name: str | Path | None) -> str:
    """Return the identity of a profile's file without its calibration, which changes no answer; "" without a file.

    It is that of the file before it was calibrated, if its text was as profiles are written.
    """
    if name is None or not os.path.isfile(name):
        return ""
    try:
        fields = json.loads(Path(name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        fields = None
    if not isinstance(fields, dict) or fields.pop("calibration", None) is None:
        return file_contents(Path(name))
    return hashlib.sha256((json.dumps(fields, indent=2) + "\n").encode()).hexdigest()


def file_contents(path: Path) -> str:
    """Return the SHA-256 of a file; remembered by its path, size and time, for weights are large."""
    stat = path.stat()
    known = {"size": stat.st_size, "time": stat.st_mtime_ns}
    memory = _Memory.load()
    found = memory.get(path, known)
    if found is None:
        if stat.st_size > SAID_FROM_BYTES:
            print(f"reading {path} once, to know its content ({stat.st_size / 1e9:.1f} GB)", file=sys.stderr)
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        memory.put(path, known, found)
    return found


def _of_files(files: list[Path], root: Path) -> str:
    digest = hashlib.sha256()
    for file in files:
        name = file.relative_to(root).as_posix().encode(errors="surrogateescape")
        found = profile_contents(file) if file.name == PROFILE_NAME else file_contents(file)
        digest.update(name + b"\0" + found.encode() + b"\0")
    return digest.hexdigest()


class _Memory:
    """The hashes that were made before, in a file of the user's cache folder; it is lost without harm."""

    def __init__(self, file: Path, held: dict[str, Any]) -> None:
        self.file, self.held = file, held

    @classmethod
    def load(cls) -> _Memory:
        """Return what is remembered; nothing where the file cannot be read."""
        folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "timeground"
        try:
            held = json.loads((folder / "sha256.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            held = {}
        return cls(folder / "sha256.json", held if isinstance(held, dict) else {})

    def get(self, path: Path, known: dict[str, int]) -> str | None:
        """Return the hash of a file of this size and time."""
        entry = self.held.get(os.fspath(path.resolve()))
        same = isinstance(entry, dict) and {k: entry.get(k) for k in known} == known
        return str(entry["sha256"]) if same and entry and "sha256" in entry else None

    def put(self, path: Path, known: dict[str, int], found: str) -> None:
        """Remember a hash, if the folder can be written."""
        self.held[os.fspath(path.resolve())] = {**known, "sha256": found}
        try:
            write_text(self.file, json.dumps(self.held))
        except (OutputError, UnicodeEncodeError):
            return
