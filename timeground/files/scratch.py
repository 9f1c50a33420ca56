"""Temporary files and folders that name their process, so that those of a killed one go with the next start."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from timeground.files.whole_files import is_alive, output_errors


@contextmanager
def scratch_folder(what: str) -> Iterator[Path]:
    """Make a folder of this process among the system's temporary ones, and remove it at the end.

    what: what it is for, a part of its name. Raise OutputError if it cannot be made.
    """
    base, name = Path(tempfile.gettempdir()), f"timeground-{what}"
    _remove_of_dead_once(base, name)
    folder = named_by_process(name, base)
    with output_errors(folder):
        folder.mkdir(mode=0o700)
    try:
        yield folder.resolve()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def named_by_process(what: str, folder: Path, ending: str = "") -> Path:
    """Return a name in a folder that nothing else has."""
    return folder / f"{what}-{os.getpid()}-{uuid.uuid4().hex[:12]}{ending}"


def remove_of_dead(folder: Path, what: str) -> None:
    """Remove what processes that are no more have put into a folder under `named_by_process`."""
    pattern = re.compile(rf"{re.escape(what)}-(\d+)-[0-9a-f]{{12}}(\.\w+)?")
    with suppress(OSError):
        for path in list(folder.glob(f"{what}-*")):
            found = pattern.fullmatch(path.name)
            if not found or is_alive(int(found[1])):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
                continue
            with suppress(OSError):
                path.unlink()


@cache
def _remove_of_dead_once(folder: Path, what: str) -> None:
    remove_of_dead(folder, what)
