"""The videos below a folder, found by what annotations call them: a path, a name, or a name without its ending."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from timeground.data.row_checks import shown
from timeground.data.rows import resolve_video
from timeground.errors import UserError

UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)")
"""What Label Studio puts before the name of a file that was uploaded."""


class VideoIndex:
    """What is there. Only what lies below the root is ever found, whatever a name says."""

    def __init__(self, root: Path, follow_links: bool = False) -> None:
        from timeground.media.suffixes import VIDEO_SUFFIXES

        if not root.is_dir():
            raise UserError(f"--videos {root}: not a folder; name the folder with the videos")
        self.root, self.follow_links, self._endings = root, follow_links, VIDEO_SUFFIXES
        self.videos = sorted(_below(root, follow_links))
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for video in self.videos:
            path = PurePosixPath(video)
            self._by_name[path.name].append(video)
            self._by_stem[path.stem].append(video)

    def find(self, names: Sequence[str]) -> str:
        """Return the path below the root of the video that has one of these names, the first that is there.

        Raise UserError for none, for several, and for one that is a link out of the root.
        """
        for name in names:
            found = self._named(name)
            if len(found) > 1:
                shown_ = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
                raise UserError(f"video {shown(name)} may be {shown_}; write as much of its path as tells them apart")
            if found:
                resolve_video(self.root, found[0], follow_links=self.follow_links)
                return found[0]
        said = " or ".join(shown(name) for name in dict.fromkeys(names)) or "without a name"
        raise UserError(f"video {said} is not below {self.root}")

    def _named(self, name: str) -> list[str]:
        parts = _parts(name)
        if not parts:
            return []
        path = PurePosixPath(*parts)
        if not name.startswith(("/", "\\")) and ".." not in name and (self.root / path).is_file():
            return [path.as_posix()]
        same = self._by_name.get(path.name) or self._by_stem.get(path.name) or []
        if not same and path.suffix.lower() in self._endings:
            same = self._by_stem.get(path.stem) or []
        if not same and (uploaded := UPLOADED.fullmatch(path.name)):
            return self._named(uploaded[1])
        agreement = {video: _shared_folders(parts, PurePosixPath(video).parts) for video in same}
        return [video for video in same if agreement[video] == max(agreement.values())]


def _below(root: Path, follow_links: bool) -> Iterator[str]:
    """Yield the files with a video's ending, and the folders of pictures."""
    from timeground.media.suffixes import SUFFIXES, VIDEO_SUFFIXES

    for folder, folders, files in os.walk(root, followlinks=follow_links):
        folders[:] = [name for name in folders if not name.startswith(".")]
        place = Path(folder).relative_to(root)
        shown_files = [name for name in files if not name.startswith(".")]
        yield from ((place / n).as_posix() for n in shown_files if os.path.splitext(n)[1].lower() in VIDEO_SUFFIXES)
        if place.parts and any(os.path.splitext(name)[1].lower() in SUFFIXES for name in shown_files):
            yield place.as_posix()


def _parts(name: str) -> list[str]:
    """Return the parts of a path or an address; ``..`` and drives lead nowhere, so they are left out."""
    text = name.strip()
    if "?d=" in text:  # how Label Studio serves local files
        text = text.partition("?d=")[2]
    if "://" in text:
        text = unquote(text.partition("://")[2].partition("?")[0])
    text = text.replace("\\", "/").replace("\0", "")
    return [part for part in text.split("/") if part not in ("", ".", "..") and not re.fullmatch(r"[A-Za-z]:", part)]


def _shared_folders(wanted: Sequence[str], there: Sequence[str]) -> int:
    """Return how many folders above the file two paths have in common."""
    count = 0
    for one, other in zip(reversed(wanted[:-1]), reversed(there[:-1]), strict=False):
        if one != other:
            break
        count += 1
    return count
