"""The clips that ship, with questions that fit them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from timeground.data.rows import Row, read_rows

SHOWN_QUERIES = 3


def shipped_folder() -> Path:
    """Return the folder with the clips that ship."""
    return Path(str(files("timeground") / "assets" / "example"))


@dataclass(frozen=True)
class Example:
    """A clip and what can be asked about it."""

    path: Path
    duration_s: float
    queries: list[str]
    question: str
    options: list[str]
    directed: str
    """A query that tells a direction of time."""

    @property
    def fields(self) -> list[str]:
        """Return what the fields of the page are filled with, in the order of `page.FIELDS`."""
        return ["\n".join(self.queries), self.question, "\n".join(self.options), self.directed, self.queries[0]]


def shipped_examples() -> list[Example]:
    """Return the clips that ship."""
    of_clip: dict[str, list[Row]] = defaultdict(list)
    for row in read_rows(shipped_folder() / "annotations.jsonl"):
        of_clip[row.video].append(row)
    return [_example(rows) for rows in of_clip.values()]


def _example(rows: list[Row]) -> Example:
    queries = [row.query for row in rows if row.task == "ground"]
    choice: Row | None = next((row for row in rows if row.task == "choice"), None)
    return Example(
        shipped_folder() / rows[0].video,
        rows[0].duration,
        queries[:SHOWN_QUERIES],
        (choice.question or "") if choice else "",
        list(choice.options or []) if choice else [],
        next((row.query for row in rows if row.direction == "sensitive" and row.spans), queries[0]),
    )
