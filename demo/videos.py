"""Which videos may be read: what a user uploaded and what ships, within the limits, each known by its content."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from timeground.errors import UserError
from timeground.media.containers.container import check_file, check_plain
from timeground.media.decode import probe

from .examples import shipped_folder
from .settings import DemoSettings

QUOTED_PATH = re.compile(r"""(['"])((?:file:/)?/[^'"\n]*/[^'"\n]*|[A-Za-z]:\\[^'"\n]*)\1""")
PATH = re.compile(r"""file:/[^\s'"]+|(?<![\w:/.~)-])~?/[^\s'",;:()]+/[^\s'",;:()]*|(?<!\w)[A-Za-z]:\\[^\s'",;:()]+""")
"""Absolute paths; an address such as http://host/v1 is none."""


def names_only(text: str, names: Mapping[str, str]) -> str:
    """Return a text whose paths are replaced: those in `names` as given, all others by their last part."""
    for path in sorted((p for p in names if p not in ("", ".", "..")), key=len, reverse=True):
        text = text.replace(path, names[path])
    text = QUOTED_PATH.sub(lambda found: f"{found[1]}{_last(found[2])}{found[1]}", text)
    return PATH.sub(lambda found: _last(found[0]), text)


def _last(path: str) -> str:
    return path.rstrip("/\\").replace("\\", "/").rpartition("/")[2]


@dataclass(frozen=True)
class Video:
    """A video that may be read."""

    id: str
    """Hash of its content."""
    path: Path
    name: str
    """What its owner called it, for display only."""
    duration_s: float


class Videos:
    """The videos of one server."""

    def __init__(self, uploads: Path, settings: DemoSettings) -> None:
        """Take the one folder whose files users may name, `uploads`; what ships may be read too."""
        self.folders = [uploads.resolve(), shipped_folder().resolve()]
        self.folders += [Path(settings.library).resolve()] if settings.library else []
        self.settings = settings
        self._by_id: dict[str, Video] = {}
        self._by_file: dict[tuple[str, int, int], Video] = {}

    def admit(self, path: str, name: str | None = None) -> Video:
        """Check a video and learn its id. Raise UserError if it is not the user's to read, not a video, or too long."""
        file = Path(path).resolve()
        if not any(file.is_relative_to(folder) for folder in self.folders) or not file.is_file():
            raise UserError("this video is not on the server (any more); upload it again")
        facts = file.stat()
        key = (str(file), facts.st_size, facts.st_mtime_ns)
        if key not in self._by_file:
            self._by_file[key] = self._check(file, name or file.name)
        video = self._by_file[key]
        self._by_id[video.id] = video
        return video

    def known(self, video_id: str) -> Video:
        """Return a video admitted before. Only who has a video can know its id, so this names no file of others."""
        video = self._by_id.get(video_id)
        if video is None or not video.path.is_file():
            raise UserError("this video is not on the server any more; upload it again")
        return video

    def without_paths(self, text: str) -> str:
        """Return a message for users: paths of videos and of the model are names, and no other shows its folder."""
        names = {os.fspath(video.path): video.name for video in self._by_file.copy().values()}
        if Path(self.settings.model).exists():
            names |= {p: Path(p).name for p in (self.settings.model, os.fspath(Path(self.settings.model).resolve()))}
        return names_only(text, names)

    def _check(self, file: Path, name: str) -> Video:
        size_mb = file.stat().st_size / 1e6
        if size_mb > self.settings.max_upload_mb:
            raise UserError(
                f"{name}: {size_mb:.0f} MB, and at most {self.settings.max_upload_mb} are taken; cut or re-encode it"
            )
        try:
            check_file(file)
            info = probe(file)
        except UserError as error:
            raise UserError(names_only(str(error), {os.fspath(file): name})) from None
        check_plain(name, info.container)
        if info.duration_s > self.settings.max_minutes * 60:
            raise UserError(
                f"{name}: {info.duration_s / 60:.1f} minutes, and at most {self.settings.max_minutes:g} are taken; "
                "cut out the part you mean"
            )
        with file.open("rb") as content:
            video_id = hashlib.file_digest(content, "sha256").hexdigest()
        return Video(video_id, file, name, info.duration_s)
