"""What comes in: rows of a file or of a public format, or a folder of bare videos, as items in a fixed order."""

from __future__ import annotations

from pathlib import Path

from timeground.data.formats import read
from timeground.data.rows import Row, read_rows, resolve_video
from timeground.errors import UserError
from timeground.media.containers.frame_folder import VIDEO_SUFFIXES

from .item import Item
from .settings import InputSettings

MEASURED_LATER_S = 1e-3
"""Stands for a length that a format does not publish, until the stage `probe` measures it."""


def read_items(settings: InputSettings) -> list[Item]:
    """Every video with its rows, in the order in which each comes first.

    Raises UserError: no such root or file, a row that is not right (with its line), a video outside the root, an id
    that comes twice.
    """
    root = Path(settings.videos)
    if not root.is_dir():
        raise UserError(f"input.videos: {root} is not a folder; name the folder with the videos")
    items = _bare(root) if settings.rows is None else _annotated(settings, root)
    if not items:
        raise UserError(f"no videos found in {settings.rows or root}; check input.rows and input.videos")
    return items[: settings.limit]


def _bare(root: Path) -> list[Item]:
    files = (p for p in root.rglob("*") if p.suffix.lower() in VIDEO_SUFFIXES and not p.name.startswith("."))
    found = sorted(p.relative_to(root).as_posix() for p in files)
    return [Item(video) for video in found]


def _annotated(settings: InputSettings, root: Path) -> list[Item]:
    path = Path(settings.rows or "")
    own = settings.reader == "rows" and path.is_file()
    rows = read_rows(path, root=root) if own else read(settings.reader, path, settings.split)
    items: dict[str, Item] = {}
    seen: set[str] = set()
    for row in rows:
        if row.id in seen:
            raise UserError(f"{path}: id {row.id!r} comes twice; make ids unique")
        seen.add(row.id)
        _refuse_outside(path, root, row)
        items.setdefault(row.video, Item(row.video)).rows.append(_with_length(row))
    return list(items.values())


def _refuse_outside(path: Path, root: Path, row: Row) -> None:
    """UserError for a path that leaves the root; a link out of it is its video's failure, told when it is opened."""
    try:
        resolve_video(root, row.video, follow_links=True)
    except UserError as error:
        raise UserError(f"{path}: row {row.id!r}: {error}") from None


def _with_length(row: Row) -> Row:
    """Formats that publish no length give 0, which a row may not have."""
    row.duration = row.duration or MEASURED_LATER_S
    return row
