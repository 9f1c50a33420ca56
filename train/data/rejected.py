"""Rows that a run could not use, each with the reason, and those whose video crashes its reader."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from torch.utils.data import get_worker_info

from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.files.whole_files import output_errors, write_text


def reason_of(error: BaseException) -> str:
    """Return an error in one line; its kind too, where it is not one of ours."""
    text = " ".join(str(error).split())
    return text if isinstance(error, UserError) else f"{type(error).__name__}: {text}"


@dataclass(frozen=True)
class Rejected:
    """The file; workers and processes write to it side by side, each row once."""

    file: Path

    def add(self, found: Iterable[tuple[Row, str]]) -> None:
        """List rows with their reasons, but for those that are listed."""
        with FileLock(self.file.with_name(f".{self.file.name}.lock")):
            text = self.file.read_text(encoding="utf-8") if self.file.exists() else ""
            listed = {line["id"] for line in _lines(text)}
            lines = [
                json.dumps({"id": row.id, "video": row.video, "reason": reason}) + "\n"
                for row, reason in found
                if row.id not in listed
            ]
            if lines:
                cut_short = bool(text) and not text.endswith("\n")
                with output_errors(self.file), self.file.open("a", encoding="utf-8") as file:
                    file.write("\n" * cut_short + "".join(lines))

    def read(self) -> list[dict[str, str]]:
        """Return what is listed."""
        return _lines(self.file.read_text(encoding="utf-8")) if self.file.exists() else []


def _lines(text: str) -> list[dict[str, str]]:
    """Return what is listed; a line that a kill cut short is not."""
    found = []
    for line in text.split("\n"):
        try:
            found.append({"id": "", "reason": "", **json.loads(line)})
        except (ValueError, TypeError):
            continue
    return found


CRASHED = "crashes its reader"
BY_ITSELF = "Segmentation fault|Aborted|Bus error|Illegal instruction|Floating point exception"
"""Signals by which code ends itself. Others come from outside, such as for want of memory, and blame no row."""


@contextmanager
def noted(folder: Path, rows: Sequence[Row]) -> Iterator[None]:
    """Note what a worker process is decoding, for as long as the block lasts; nothing in a process without workers."""
    if get_worker_info() is None:
        yield
        return
    note = _note(folder, os.getpid())
    write_text(note, json.dumps([[row.id, row.video] for row in rows]))
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def forget_notes(folder: Path) -> None:
    """Remove what killed processes have left."""
    for note in folder.glob(".decoding-*"):
        note.unlink(missing_ok=True)


@contextmanager
def told(rejected: Path) -> Iterator[None]:
    """Raise one line for a worker that dies, which PyTorch raises wherever the trainer stands.

    If it crashed by itself, the rows at hand are listed, and a run that goes on passes over them.
    """
    try:
        yield
    except RuntimeError as error:
        said = " ".join(_chain(error))
        found = re.search(r"DataLoader worker \(pid(?:\(s\))? (\d+)", said)
        if found is None:
            raise
        signal = re.search(BY_ITSELF, said)
        rows = _rows(rejected.parent, int(found[1])) if signal else []
        if not rows or signal is None:
            raise UserError(
                "a process that decodes ahead has died, perhaps for want of memory; set data.num_workers lower, and "
                "start the same command to go on"
            ) from None
        Rejected(rejected).add((row, f"{CRASHED} ({signal[0]})") for row in rows)
        raise UserError(
            f"video {rows[0].video!r} {CRASHED} ({signal[0]}); its rows are listed in {rejected}, and the same command "
            "goes on without them"
        ) from None


def crashing(rejected: Path) -> dict[str, str]:
    """Return rows that crashed a reader before, by id, with the reason that is listed."""
    return {line["id"]: line["reason"] for line in Rejected(rejected).read() if line["reason"].startswith(CRASHED)}


def _chain(error: BaseException | None) -> Iterator[str]:
    """Yield what an error and those that it came from say: PyTorch names the signal in one, the process in another."""
    while error is not None:
        yield str(error)
        error = error.__cause__ or error.__context__


def _note(folder: Path, pid: int) -> Path:
    return folder / f".decoding-{pid}"


def _rows(folder: Path, pid: int) -> list[Row]:
    try:
        noted = json.loads(_note(folder, pid).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [Row(id=name, video=video, duration=1.0) for name, video in noted]
