"""What comes in: rows of a file or of a public format, or a folder of bare videos, as items in a fixed order."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import Field

from timeground.cli.recipes import Settings
from timeground.data.formats import read
from timeground.data.rows import Row, read_rows, resolve_video
from timeground.errors import UserError
from timeground.media.suffixes import VIDEO_SUFFIXES

from .item import Item
from .notes import has_key

MEASURED_LATER_S = 1e-3
"""Stands for a length that a format does not publish, until the stage `probe` measures it."""


class InputSettings(Settings):
    """Where videos and rows come from."""

    videos: str
    """The video root."""
    rows: str | None = None
    """A file of rows, or with `reader` the folder (or file) of a public format. None: every video below the root."""
    reader: str = "rows"
    split: str | None = None
    limit: int | None = Field(None, ge=1)
    """Only the first so many videos."""
    follow_links: bool = False
    """Whether videos may be links out of the root."""


def read_items(settings: InputSettings) -> list[Item]:
    """Return every video with its rows, in the order in which each comes first.

    Raise UserError for no such root or file, a row that is not right (with its line), a video outside the root, an id
    that comes twice.
    """
    root = _root(settings)
    items = _bare(root) if settings.rows is None else _annotated(settings, root)
    if not items:
        raise UserError(f"no videos found in {settings.rows or root}; check input.rows and input.videos")
    return items[: settings.limit]


def brings(settings: InputSettings, key: str) -> bool:
    """Return whether some row comes in with a key: rows of an earlier run keep what its stages noted in them."""
    if settings.rows is None or key.startswith("facts."):
        return False
    return key == "rows" or any(has_key(row, key) for row in _rows(settings, _root(settings)))


def _root(settings: InputSettings) -> Path:
    """Return the video root. Raise UserError if it is no folder."""
    root = Path(settings.videos)
    if not root.is_dir():
        raise UserError(f"input.videos: {root} is not a folder; name the folder with the videos")
    return root


def _bare(root: Path) -> list[Item]:
    """Return every video below the root, without rows."""
    files = (p for p in root.rglob("*") if p.suffix.lower() in VIDEO_SUFFIXES and not p.name.startswith("."))
    return [Item(video) for video in sorted(p.relative_to(root).as_posix() for p in files)]


def _rows(settings: InputSettings, root: Path) -> Iterable[Row]:
    """Return the rows of the file, or of the public format."""
    path = Path(settings.rows or "")
    own = settings.reader == "rows" and path.is_file()
    return read_rows(path, root=root) if own else read(settings.reader, path, settings.split)


def _annotated(settings: InputSettings, root: Path) -> list[Item]:
    """Return the videos that rows name, with these rows."""
    items: dict[str, Item] = {}
    seen: set[str] = set()
    for row in _rows(settings, root):
        if row.id in seen:
            raise UserError(f"{settings.rows}: id {row.id!r} comes twice; make ids unique")
        seen.add(row.id)
        _refuse_outside(settings, root, row)
        row.duration = row.duration or MEASURED_LATER_S  # formats that publish no length give 0
        items.setdefault(row.video, Item(row.video)).rows.append(row)
    return list(items.values())


def _refuse_outside(settings: InputSettings, root: Path, row: Row) -> None:
    """Raise UserError for a path that leaves the root; a link out of it fails its video when that is opened."""
    try:
        resolve_video(root, row.video, follow_links=True)
    except UserError as error:
        raise UserError(f"{settings.rows}: row {row.id!r}: {error}") from None
