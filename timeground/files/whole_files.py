"""Files that appear whole or not at all, however a program ends.

What is being written lies beside its place as ``.{name}.{process}-{thread}.part``, so that processes and threads may
write the same file, and what a killed process left behind can be told from what is under way.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from timeground.errors import OutputError, UserError

LONGEST_NAME_BYTES = 180
"""Of a name within a part's name; file systems take 255 bytes."""
PART = re.compile(r"\..+\.(\d+)-\d+\.part")
ADVICE = {
    errno.ENOSPC: "make room there or choose another place, and start again",
    errno.EDQUOT: "make room there or choose another place, and start again",
    errno.EFBIG: "raise the limit on the size of files or choose another place, and start again",
    errno.EISDIR: "a folder stands there: move it away or give another name",
    errno.ENAMETOOLONG: "give a shorter name",
}
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""Errors that only writing meets."""
FULL = re.compile(r"No space left|File too large|quota exceeded|Read-only file|os error \d+|PytorchStreamWriter", re.I)
"""How libraries say that a write failed, where they do not raise OSError (safetensors, PyTorch)."""


@contextmanager
def writing(path: str | Path) -> Iterator[Path]:
    """Give a name to write a file (or a folder) to, which is moved to its place if all went well, else removed.

    The folder of `path` is made if need be, and what killed processes left in it is removed. A device or a pipe is
    written as it is. OutputError names what cannot be written, why, and what to do.
    """
    path = Path(path)
    part = _part(path)
    with output_errors(path):
        if path.exists() and not (path.is_file() or path.is_dir()):
            yield path
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned_once(path.parent)
        try:
            yield part
            _move(part, path)
        finally:
            _remove(part)


def write_text(path: Path, text: str) -> None:
    """Write a text file in one move; its folder is made if need be. Raise OutputError if that fails."""
    with writing(path) as part:
        part.write_text(text, encoding="utf-8", errors="replace")


def refuse_unwritable(path: str | Path) -> None:
    """Raise OutputError if a file cannot be written at a place; asked before the work whose result goes there."""
    path = Path(path)
    with output_errors(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        if path.exists() and not path.is_file():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = _part(path)
        try:
            part.touch()
        finally:
            _remove(part)


def make_folder(folder: str | Path) -> None:
    """Make a folder with those above it. Raise OutputError if that fails."""
    with output_errors(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)


@contextmanager
def output_errors(path: str | Path) -> Iterator[None]:
    """Turn a failed write into one line; other errors pass."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if not is_failed_write(error):
            raise
        raise output_error(path, error) from error


def is_failed_write(error: BaseException | None) -> bool:
    """Return whether an error, or what led to it, is the system's, or a library's word for that."""
    while error is not None:
        if isinstance(error, OSError) or FULL.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def output_error(path: str | Path, error: BaseException) -> OutputError:
    """Return one line: what cannot be written, why, and what to do."""
    path = Path(path)
    if blocking := _file_above(path):
        where = f"{blocking} is a file, and a folder should be there"
        return OutputError(f"{path}: cannot be written: {where}; move it away or choose another place")
    number = error.errno if isinstance(error, OSError) else None
    reason = os.strerror(number) if number else " ".join(str(error).split())[:200]
    advice = ADVICE.get(number or 0, "choose a place that can be written, and start again")
    return OutputError(f"{path}: cannot be written: {reason}; {advice}")


def remove_abandoned(folder: Path, everywhere: bool = False) -> None:
    """Remove what killed processes left half written in a folder. everywhere: and in the folders below it."""
    with suppress(OSError):
        for part in list(folder.rglob(".*.part") if everywhere else folder.glob(".*.part")):
            found = PART.fullmatch(part.name)
            if found and not is_alive(int(found[1])):
                _remove(part)


def is_alive(process: int) -> bool:
    """Return whether there is such a process on this machine."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # somebody else's
    return True


@cache
def _remove_abandoned_once(folder: Path) -> None:
    remove_abandoned(folder)


def _part(path: Path) -> Path:
    name = path.name
    if len(os.fsencode(name)) > LONGEST_NAME_BYTES:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:32]
    return path.with_name(f".{name}.{os.getpid()}-{threading.get_ident()}.part")


def _move(part: Path, path: Path) -> None:
    if part.is_dir() and path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    os.replace(part, path)


def _remove(part: Path) -> None:
    if part.is_dir() and not part.is_symlink():
        shutil.rmtree(part, ignore_errors=True)
        return
    with suppress(OSError):
        part.unlink(missing_ok=True)


def _file_above(path: Path) -> Path | None:
    """Return the file that stands where a folder of this path should be."""
    for folder in path.parents:
        with suppress(OSError):
            if folder.exists():
                return None if folder.is_dir() else folder
    return None
