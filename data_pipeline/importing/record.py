"""What a reader of annotations yields: records with their place, or what cannot be one, with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from timeground.errors import UserError


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a file."""

    file: str
    line: int | None = None
    """From 1; the number of the record where a format has no lines; None for the whole file."""
    part: str = ""
    """Which of several things on that line."""

    def __str__(self) -> str:
        """Return it as it is printed."""
        return self.file + (f":{self.line}" if self.line is not None else "") + (f" ({self.part})" if self.part else "")

    def inside(self, part: str) -> Place:
        """Return the place of a part of what stands here."""
        part = " ".join(part.split())
        return replace(self, part=f"{self.part}, {part}" if self.part else part)


@dataclass(frozen=True, slots=True)
class Record:
    """One annotation, or several that share a line, by the names of the file's own columns."""

    place: Place
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """What did not get in, and why."""

    place: Place
    reason: str

    def __post_init__(self) -> None:
        """Keep the reason on one line, whatever names and values it quotes."""
        object.__setattr__(self, "reason", " ".join(self.reason.split()))

    def __str__(self) -> str:
        """Return it as it is printed."""
        return f"{self.place}: {self.reason}"

    def to_json(self) -> dict[str, Any]:
        """Return it as a line of the report."""
        part = {"part": self.place.part} if self.place.part else {}
        return {"file": self.place.file, "line": self.place.line, **part, "reason": self.reason}


Read = Iterator[Record | Refused]
"""What a reader yields. It raises UserError for a file that cannot be read at all."""


def needs(package: str, what: str) -> UserError:
    """Return the error for a package that is not installed."""
    return UserError(f"{what} needs {package}, which is not installed: pip install 'timeground[data]'")
