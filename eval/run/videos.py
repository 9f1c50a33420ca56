"""The rows of a task by video: which files there are, and clips decoded ahead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from timeground.data.rows import Row, resolve_video
from timeground.errors import UserError, VideoError
from timeground.files.content_keys import video_contents_or_missing
from timeground.media.clip import Clip
from timeground.media.containers.frame_folder import DEFAULT_FOLDER_FPS
from timeground.media.crew import decode_many
from timeground.media.decode import DecodeRequest
from timeground.media.sampling import Sampling
from timeground.media.video import Video


@dataclass(frozen=True)
class Group:
    """The rows that ask about one video, or one window of it."""

    path: Path
    rows: list[Row]
    refused: UserError | None = None
    """Why the video may not be read."""

    def video(self, clip: Clip, sampling: Sampling) -> Video:
        """Return the video, of which a clip was read by `request`."""
        request = self.request(sampling)
        video = Video(self.path, folder_fps=request.folder_fps, clamp_end=True)
        video.hold(clip, sampling, request.start_s, request.end_s)
        return video

    def request(self, sampling: Sampling) -> DecodeRequest:
        """Return what to decode; a window that ends after the video is cut there, as true spans are."""
        row = self.rows[0]
        start_s, end_s = (row.window.start_s, row.window.end_s) if row.window else (None, None)
        fps = row.folder_fps or DEFAULT_FOLDER_FPS
        return DecodeRequest(self.path, sampling, start_s, end_s, folder_fps=fps, clamp_end=True)


def group_rows(rows: Sequence[Row], root: Path, follow_links: bool = False) -> list[Group]:
    """Return rows by video and window, in the order in which each comes first."""
    groups: dict[tuple[str, tuple[float, float] | None], Group] = {}
    for row in rows:
        key = (row.video, (row.window.start_s, row.window.end_s) if row.window else None)
        if key not in groups:
            groups[key] = _group(row, root, follow_links)
        groups[key].rows.append(row)
    return list(groups.values())


def contents_of(groups: Sequence[Group]) -> dict[str, str]:
    """Return the identity of each row's video by row id; "" for one that is not there."""
    paths = {group.path for group in groups}
    known = {path: video_contents_or_missing(path) for path in paths}
    return {row.id: known[group.path] for group in groups for row in group.rows}


def _group(row: Row, root: Path, follow_links: bool) -> Group:
    try:
        return Group(resolve_video(root, row.video, follow_links=follow_links), [])
    except UserError as error:
        return Group(root / row.video, [], error)


def missing_videos(groups: Sequence[Group]) -> list[str]:
    """Return videos that are not there."""
    return sorted({group.rows[0].video for group in groups if group.refused is None and not group.path.exists()})


def clips(
    groups: Sequence[Group], sampling: Sampling, num_workers: int
) -> Iterator[tuple[Group, Clip | VideoError | UserError]]:
    """Yield each group with its clip or why there is none; decoded ahead in `num_workers` processes (0: here)."""
    readable = [group for group in groups if group.refused is None]
    found = _decoded([group.request(sampling) for group in readable], num_workers)
    for group in groups:
        yield group, group.refused or next(found)


def _decoded(requests: Sequence[DecodeRequest], num_workers: int) -> Iterator[Clip | VideoError | UserError]:
    if num_workers:
        for _, result in decode_many(requests, num_workers):
            yield result
        return
    from timeground.media.decode import decode_request

    for request in requests:
        try:
            yield decode_request(request)
        except (VideoError, UserError) as error:
            yield error
