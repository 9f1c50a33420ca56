"""Rows against their video files: is each there, can it be read, does it last as long as its rows say?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from timeground.data.row_checks import SLACK_S
from timeground.data.rows import Row, resolve_video
from timeground.errors import UserError

if TYPE_CHECKING:
    from timeground.media.containers.frame_index import VideoInfo

CLOSE_S, CLOSE_SHARE = 1.0, 0.02
"""A stated length may differ from the file's by so many seconds, or by this share of it: published ones are rounded."""
AT_ONCE = 8


@dataclass
class FileProblems:
    """What is wrong, each with why."""

    unreadable: dict[str, str] = field(default_factory=dict)
    """Videos that are missing or damaged."""
    wrong: dict[str, str] = field(default_factory=dict)
    """Ids of rows that their file contradicts, with all in which it does."""

    def lines(self) -> list[str]:
        """Return one line for each."""
        found = [f"video {video!r} cannot be read: {reason}" for video, reason in self.unreadable.items()]
        return found + [f"row {name!r}: {reason}" for name, reason in self.wrong.items()]


def measure(videos: Mapping[str, float | None], root: Path, follow_links: bool = False) -> dict[str, VideoInfo | str]:
    """Return what each video below `root` says of itself, or why it cannot be read, without decoding it.

    videos: their paths, with the pictures a second of those that are folders (None: the default).
    """
    from timeground.media.containers.frame_folder import DEFAULT_FOLDER_FPS
    from timeground.media.decode import probe

    def look(video: str) -> VideoInfo | str:
        try:
            path = resolve_video(root, video, follow_links=follow_links)
            return probe(path, videos[video] or DEFAULT_FOLDER_FPS)
        except UserError as error:
            return str(error)
        except Exception as error:  # a file must not end the check of the others
            return f"{type(error).__name__}: {error}"

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(videos, pool.map(look, videos), strict=True))


def against_files(rows: Sequence[Row], root: Path, follow_links: bool = False) -> FileProblems:
    """Compare rows with their files below `root`."""
    measured = measure({row.video: row.folder_fps for row in rows}, root, follow_links)
    found = FileProblems()
    for row in rows:
        info = measured[row.video]
        if isinstance(info, str):
            found.unreadable[row.video] = " ".join(info.split())
        elif reasons := file_contradictions(row, info.duration_s):
            found.wrong[row.id] = "; ".join(reasons)
    return found


def contradicted(row: Row, duration_s: float) -> str | None:
    """Return how a file's true length contradicts a row; None if it does not."""
    return next(iter(file_contradictions(row, duration_s)), None)


def file_contradictions(row: Row, duration_s: float) -> list[str]:
    """Return all in which a file's true length contradicts a row."""
    found, off_s = [], abs(row.duration - duration_s)
    if off_s > max(CLOSE_S, CLOSE_SHARE * duration_s):
        found.append(f"duration is {row.duration:g} s, but {row.video} lasts {duration_s:.2f} s; measure it anew")
    for name, end_s in _ends(row):
        if end_s > duration_s + SLACK_S:
            found.append(f"{name} ends at {end_s:g} s, but {row.video} lasts {duration_s:.2f} s")
    return found


def _ends(row: Row) -> Iterable[tuple[str, float]]:
    yield from ((f"spans[{i}]", span.end_s) for i, span in enumerate(row.spans))
    if row.window is not None:
        yield "window", row.window.end_s
