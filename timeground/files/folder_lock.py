"""One run a folder: a second one is refused for as long as the first is alive."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from timeground.errors import UserError
from timeground.files.whole_files import output_error, remove_abandoned

LOCK = ".lock"


@contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder, which is made if need be.

    The lock is the system's (`filelock`): it goes with its process, however that ends. Each process of a run that
    launchers start has a lock of its own, by its rank, so that they do not refuse each other; a program that only
    starts them takes none. What killed runs left half written in the folder is removed.
    Raise UserError if one works in it, or it cannot be written.
    """
    rank = os.environ.get("RANK", "0")
    file = folder / (LOCK if rank == "0" else f"{LOCK}-{rank}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = FileLock(file, blocking=False)
        held.acquire()
    except Timeout:
        raise UserError(
            f"{folder}: another run is at work in this folder (it holds {file.name}); wait for it, end it, or choose "
            "another folder"
        ) from None
    except OSError as error:
        raise output_error(file, error) from None
    try:
        if rank == "0":
            remove_abandoned(folder, everywhere=True)
        yield
    finally:
        with suppress(OSError):
            file.unlink()  # whoever locks a file that is gone makes it anew
        held.release()
