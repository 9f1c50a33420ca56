"""An import from files to rows, step by step: read, guess, find the videos, measure them, convert, join."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timeground.data.row_checks import shown
from timeground.data.rows import Row
from timeground.data.video_checks import measure
from timeground.errors import UserError

from .columns import Columns, guess
from .drafts import Draft, Rate, drafts_of
from .files import format_of, own_reader, read_file
from .joined import rows_of
from .record import Place, Read, Record, Refused
from .videos import VideoIndex

if TYPE_CHECKING:
    from timeground.media.containers.frame_index import VideoInfo

MAX_RECORDS = 5_000_000


@dataclass(frozen=True)
class ImportSettings:
    """What the user says of an import."""

    files: tuple[Path, ...]
    videos: Path
    map: dict[str, str] = field(default_factory=dict)
    format: str | None = None
    reader: str | None = None
    columns: tuple[str, ...] = ()
    unit: str | None = None
    rate: Rate = field(default_factory=Rate)
    where: dict[str, str] = field(default_factory=dict)
    source: str | None = None
    join: bool = True
    follow_links: bool = False


@dataclass
class Taken:
    """What one file holds."""

    file: Path
    kind: str
    columns: Columns | None
    records: list[Record]
    refused: list[Refused]
    passed_over: int = 0
    """Records that ``--where`` leaves out."""


@dataclass
class Imported:
    """What came of an import."""

    rows: list[Row]
    refused: list[Refused]
    num_records: int
    num_joined: int


def take(settings: ImportSettings) -> list[Taken]:
    """Return what the files hold, with the columns as they are understood.

    Raise UserError if a file is missing or of no known format, if a column is missing, or if nothing can be read.
    """
    kinds = [(file, "reader" if settings.reader else format_of(file, settings.format)) for file in settings.files]
    own = own_reader(settings.reader) if settings.reader else None
    taken: list[Taken] = []
    for file, kind in kinds:
        read = own(file) if own else read_file(file, kind, list(settings.columns))
        taken.append(_take(file, kind, read, settings, MAX_RECORDS - sum(len(one.records) for one in taken)))
    if not any(one.records or one.passed_over for one in taken):
        refused = [reason for one in taken for reason in one.refused]
        raise UserError(str(refused[0]) if refused else f"{settings.files[0]}: holds no annotation")
    return taken


def _take(file: Path, kind: str, read: Read, settings: ImportSettings, room: int) -> Taken:
    taken = Taken(file, kind, None, [], [])
    try:
        for found in islice(read, room + 1):
            if isinstance(found, Refused):
                taken.refused.append(found)
            elif all(str(found.fields.get(name)) == value for name, value in settings.where.items()):
                taken.records.append(found)
            else:
                taken.passed_over += 1
    except UserError as error:
        if settings.reader:
            raise
        if len(settings.files) == 1 and not taken.records:
            raise
        taken.refused.append(Refused(Place(str(file)), f"nothing more was read: {error}"))
    if len(taken.records) > room:
        raise UserError(f"{file}: more than {MAX_RECORDS:,} annotations in all; import them in parts")
    if taken.records:
        names = {name: None for record in taken.records for name in record.fields}
        taken.columns = guess(str(file), list(names), settings.map, settings.unit)
    return taken


def to_rows(taken: Sequence[Taken], settings: ImportSettings, tell: Callable[[str], None] = lambda _: None) -> Imported:
    """Return the rows that the files come to. tell: is given a line before what takes long."""
    index = VideoIndex(settings.videos, settings.follow_links)
    refused = [reason for one in taken for reason in one.refused]
    placed: list[tuple[Record, Columns, str]] = []
    found: dict[tuple[str, ...], str | UserError] = {}
    for one in taken:
        for record in one.records:
            assert one.columns is not None
            video = _video(record, one.columns, index, found)
            if isinstance(video, UserError):
                refused.append(Refused(record.place, str(video)))
            else:
                placed.append((record, one.columns, video))
    rates = {video: _folder_fps(record) for record, _, video in placed}
    tell(f"measuring {len(rates)} videos")
    return converted(placed, measure(rates, settings.videos, settings.follow_links), refused, settings)


def converted(
    placed: Sequence[tuple[Record, Columns, str]],
    measured: dict[str, VideoInfo | str],
    refused: Sequence[Refused],
    settings: ImportSettings,
) -> Imported:
    """Return the rows of records whose videos are found and measured (a text: why one cannot be read)."""
    drafts: list[Draft] = []
    refused = list(refused)
    for record, columns, video in placed:
        info = measured[video]
        if isinstance(info, str):
            refused.append(Refused(record.place, f"video {shown(video)} cannot be read: {' '.join(info.split())}"))
            continue
        for one in drafts_of(record, columns, video, info, settings.rate):
            if isinstance(one, Refused):
                refused.append(one)
                continue
            if settings.source is not None:
                one.row.source = settings.source
            drafts.append(one)
    num_drafts = len(drafts)
    rows, twice = rows_of(drafts, settings.join)
    return Imported(rows, [*refused, *twice], len(placed), num_drafts - len(rows) - len(twice))


def _video(
    record: Record, columns: Columns, index: VideoIndex, found: dict[tuple[str, ...], str | UserError]
) -> str | UserError:
    """Return the video of a record, or why there is none."""
    value: Any = record.fields.get(columns.of["video"])
    if isinstance(value, dict):
        value = value.get("path")
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    names = value if isinstance(value, tuple) else (str(value),) if isinstance(value, str | int) else ()
    if not all(isinstance(name, str) for name in names) or not any(name.strip() for name in names):
        return UserError(f"{columns.of['video']} names no video: {shown(value)}")
    if names not in found:
        try:
            found[names] = index.find(names)
        except UserError as error:
            found[names] = error
    return found[names]


def _folder_fps(record: Record) -> float | None:
    """Return pictures a second of a video that is a folder, where its record says it as our rows do."""
    meta = record.fields.get("meta")
    said = meta.get("folder_fps") if isinstance(meta, dict) else record.fields.get("folder_fps")
    return float(said) if isinstance(said, int | float) and said > 0 else None
