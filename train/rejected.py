"""The list of rows that a run could not use, each with the reason: ``rejected.jsonl``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.files.whole_files import output_errors


def reason_of(error: BaseException) -> str:
    """An error in one line; its kind too, where it is not one of ours."""
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
        """What is listed."""
        return _lines(self.file.read_text(encoding="utf-8")) if self.file.exists() else []


def _lines(text: str) -> list[dict[str, str]]:
    """What is listed; a line that a kill cut short is not."""
    found = []
    for line in text.split("\n"):
        try:
            found.append({"id": "", "reason": "", **json.loads(line)})
        except (ValueError, TypeError):
            continue
    return found
