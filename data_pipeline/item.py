"""The unit of work: one video with its rows, what is known about it, and what was dropped from it and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from timeground.data.rows import Row
from timeground.errors import UserError

from .notes import Facts


class RunStopped(UserError):
    """Stops the whole run: every video would meet the same, such as a model that cannot be opened."""


@dataclass
class Item:
    """A video on its way through the stages."""

    video: str
    """Path relative to the video root."""
    rows: list[Row] = field(default_factory=list)
    """Rows that are still in."""
    facts: Facts = field(default_factory=Facts)
    """What stages found out about the video."""
    rejected: list[dict[str, Any]] = field(default_factory=list)
    """Dropped rows as ``{"row", "stage", "class", "reason"}``; ``row`` is None where the video came without rows."""
    failure: dict[str, str] | None = None
    """The stage that could not work on the video, and the reason; later stages skip the video."""

    def drop(self, row: Row, stage: str, kind: str, reason: str) -> None:
        """Take a row out. kind: the class of the reason, one word; reason: a sentence for people."""
        self.rows = [other for other in self.rows if other is not row]
        self.rejected.append({"row": row.to_json(), "stage": stage, "class": kind, "reason": reason})

    def drop_all(self, stage: str, kind: str, reason: str) -> None:
        """Take every row out; a video without rows is listed as well."""
        if not self.rows:
            self.rejected.append({"row": None, "video": self.video, "stage": stage, "class": kind, "reason": reason})
        for row in self.rows:
            self.drop(row, stage, kind, reason)
        self.facts["out"] = stage

    def fail(self, stage: str, reason: str) -> None:
        """Note that a stage could not work on this video, and drop its rows."""
        self.failure = {"stage": stage, "reason": reason}
        self.drop_all(stage, "failed", reason)

    @property
    def is_out(self) -> bool:
        """Return whether later stages skip this video."""
        return self.failure is not None or "out" in self.facts

    def drop_where(self, problem: Callable[[Row], str | None], stage: str, kind: str) -> None:
        """Drop each row for which `problem` gives a reason."""
        for row in list(self.rows):
            if reason := problem(row):
                self.drop(row, stage, kind, reason)

    def to_json(self) -> dict[str, Any]:
        """Return the item as plain data."""
        rows = [row.to_json() for row in self.rows]
        return {
            "video": self.video,
            "rows": rows,
            "facts": self.facts,
            "rejected": self.rejected,
            "failure": self.failure,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Item:
        """Return the item that `to_json` wrote."""
        rows = [Row.from_json(row) for row in data["rows"]]
        return cls(data["video"], rows, data["facts"], data["rejected"], data["failure"])
