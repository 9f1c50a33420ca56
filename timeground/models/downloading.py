"""Fetches a model from the Hub: what it takes is said first, and a bar shows how far it is."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from timeground.errors import UserError
from timeground.files.content_keys import MODEL_FILES
from timeground.models.checkpoint_files import missing_files
from timeground.models.hub import only_on_disk
from timeground.models.names import model_folder
from timeground.progress import Bars, size


def bring_weights(path: str, revision: str | None = None) -> None:
    """Fetch a Hub id whose weights are not on this machine, with a bar of ours; a folder is left as it is."""
    if Path(path).is_dir() or only_on_disk(path, revision):
        return
    there = model_folder(path, revision)
    if there is None or missing_files(there):
        download(path, revision)


def download(name: str, revision: str | None = None) -> str:
    """Fetch the files of a model that are not on this machine, and return what was done in one line.

    Raise UserError where the Hub does not give it, or there is no room.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if only_on_disk(name, revision):
        raise UserError(f"{name}: nothing can be fetched: the Hub is not asked (HF_HUB_OFFLINE), or does not answer")
    disable_progress_bars()
    try:
        files = snapshot_download(name, revision=revision, allow_patterns=list(MODEL_FILES), dry_run=True)
    except Exception as error:  # of the network, of the Hub, of a gated model
        raise UserError(f"{name}: {_reason(error)}") from None
    if not any(file.filename.endswith(".safetensors") for file in files):
        raise UserError(f"{name}: it has no weights in safetensors, which is all that is read; choose another")
    wanted = [file for file in files if file.will_download]
    missing_bytes = sum(file.file_size or 0 for file in wanted)
    free = shutil.disk_usage(_above(Path(constants.HF_HUB_CACHE))).free
    if missing_bytes > free:
        raise UserError(
            f"{name}: {size(missing_bytes)} are to be fetched, and {constants.HF_HUB_CACHE} has {size(free)} free; "
            "make room, or set HF_HOME to another place"
        )
    print(f"{name}: {size(missing_bytes)} in {len(wanted)} files to {constants.HF_HUB_CACHE}", file=sys.stderr)
    blobs = Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}" / "blobs"
    with Bars() as bars:
        bar = bars.add("fetching", missing_bytes, "B")
        try:
            with _watched(blobs, lambda come: bars.update(bar, min(come, missing_bytes))):
                folder = snapshot_download(name, revision=revision, allow_patterns=list(MODEL_FILES))
        except Exception as error:
            raise UserError(f"{name}: {_reason(error)}; the same line goes on with what is there") from None
    if missing := missing_files(Path(folder)):
        raise UserError(missing[0])
    return f"{name}: on this machine"


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    said = lines[0] if lines else type(error).__name__
    gated = "; accept its licence on its page, and log in (hf auth login)" if "gated" in str(error).lower() else ""
    return f"cannot be fetched: {said[:200]}{gated}"


def _above(path: Path) -> Path:
    """Return the folder, or the first one above it that is there."""
    return next(folder for folder in (path, *path.parents) if folder.exists())


@contextmanager
def _watched(folder: Path, seen: Callable[[int], None]) -> Iterator[None]:
    """Tell how many bytes have come into a folder since the block began, every second for as long as it lasts."""
    before, over = _bytes_in(folder), threading.Event()

    def look() -> None:
        while not over.wait(1.0):
            seen(_bytes_in(folder) - before)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        seen(_bytes_in(folder) - before)


def _bytes_in(folder: Path) -> int:
    """Return the size of the files in a folder; some may go while they are counted."""
    total = 0
    for file in folder.glob("*"):
        with suppress(OSError):
            total += file.stat().st_size
    return total
