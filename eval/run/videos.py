"""The rows of a task by video: which files there are, and clips decoded ahead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from timeground.contents import video_contents_or_missing
from timeground.errors import UserError, VideoError
from timeground.records import Row, resolve_video
from timeground.video.clip import Clip
from timeground.video.decode import DecodeRequest
from timeground.video.sampling import Sampling
from timeground.video.workers import decode_many


@dataclass(frozen=True)
class Group:
    """The rows that ask about one video, or one window of it."""

    path: Path
    rows: list[Row]

    def request(self, sampling: Sampling) -> DecodeRequest:
        """What to decode."""
        window = self.rows[0].window
        start_s, end_s = (window.start_s, window.end_s) if window else (None, None)
        return DecodeRequest(self.path, sampling, start_s, end_s)


def group_rows(rows: Sequence[Row], root: Path) -> list[Group]:
    """Rows by video and window, in the order in which each comes first."""
    groups: dict[tuple[str, tuple[float, float] | None], Group] = {}
    for row in rows:
        key = (row.video, (row.window.start_s, row.window.end_s) if row.window else None)
        if key not in groups:
            groups[key] = Group(resolve_video(root, row.video), [])
        groups[key].rows.append(row)
    return list(groups.values())


def contents_of(groups: Sequence[Group]) -> dict[str, str]:
    """The identity of each row's video by row id; "" for one that is not there."""
    paths = {group.path for group in groups}
    known = {path: video_contents_or_missing(path) for path in paths}
    return {row.id: known[group.path] for group in groups for row in group.rows}


def missing_videos(groups: Sequence[Group]) -> list[str]:
    """Videos that are not there."""
    return sorted({group.rows[0].video for group in groups if not group.path.exists()})


def clips(
    groups: Sequence[Group], sampling: Sampling, num_workers: int
) -> Iterator[tuple[Group, Clip | VideoError | UserError]]:
    """Each group with its clip or why there is none; decoded ahead in `num_workers` processes (0: here)."""
    requests = [group.request(sampling) for group in groups]
    if num_workers:
        found = decode_many(requests, num_workers)
        for group, (_, result) in zip(groups, found, strict=True):
            yield group, result
        return
    from timeground.video.decode import decode_request

    for group, request in zip(groups, requests, strict=True):
        try:
            yield group, decode_request(request)
        except (VideoError, UserError) as error:
            yield group, error
