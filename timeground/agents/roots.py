"""The videos that agents may read: what lies below the folders that are given at start, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from timeground.data.video_paths import resolve_video
from timeground.errors import UserError
from timeground.media.containers.container import check_file, check_plain
from timeground.media.decode import probe
from timeground.media.suffixes import VIDEO_SUFFIXES


class VideoRoots:
    """Folders whose videos may be named by their paths in them."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """Take folders. Raise UserError for none, and for what is no folder."""
        if not folders:
            raise UserError("no folder of videos given; name those that may be read with --root DIR")
        for folder in folders:
            if not folder.is_dir():
                raise UserError(f"{folder}: no such folder; give a folder of videos")
        self.folders = [folder.resolve() for folder in folders]

    def path(self, name: str) -> Path:
        """Return the path of a video. Raise UserError if it is outside, not there, or a list that names other files."""
        found = [path for folder in self.folders if (path := resolve_video(folder, name)).is_file()]
        if not found:
            raise UserError(f"video {name!r} is not there; list_videos tells which are")
        check_file(found[0])
        check_plain(name, probe(found[0]).container)
        return found[0]

    def size_mb(self, name: str) -> float:
        """Return how large the file of a listed video is."""
        found = (folder / name for folder in self.folders if (folder / name).is_file())
        return round(next(found).stat().st_size / 1e6, 2)

    def names(self, part: str = "") -> list[str]:
        """Return the videos whose name has a text in it, in order."""
        return sorted({name for name in self._all() if part.lower() in name.lower()})

    def readable(self) -> dict[str, Path]:
        """Return the videos that can be read, by name; not a list that names other files, for those would be read."""
        found = {}
        for name in self.names():
            with suppress(UserError):
                found[name] = self.path(name)
        return found

    def _all(self) -> Iterator[str]:
        for folder in self.folders:
            for path in folder.rglob("*"):
                inside = path.resolve().is_relative_to(folder)  # no link leads out
                if path.suffix.lower() in VIDEO_SUFFIXES and inside and path.is_file():
                    yield path.relative_to(folder).as_posix()
