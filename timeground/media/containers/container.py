"""Opening a video file with PyAV, and turning every way it can fail into one clear VideoError."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from timeground.errors import UserError, VideoError
from timeground.media.containers.completeness import has_moov
from timeground.media.containers.tag import folder_tag, tag_in
from timeground.media.limits import check_frame, max_frame_pixels

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

# A playlist or a script can point to other files and to the network; a video has no business there.
OPEN_OPTIONS = {"protocol_whitelist": "file"}
PLAIN_CONTAINERS = {"mov", "mp4", "matroska", "webm", "avi", "mpegts", "mpeg", "flv", "ogg", "asf", "gif"}
"""Containers that hold their own frames. A playlist can name other files."""
NOT_VIDEO_FORMATS = {"tty", "hls", "concat"}
PROBED_BYTES = 64
NOT_LIVE = "webcams, pipes and streams are not read: record a part (ffmpeg -i INPUT -t 60 part.mp4) and give that file"
APPLE_DOUBLE = b"\x00\x05\x16\x07"


@contextlib.contextmanager
def open_video(path: str | os.PathLike[str]) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file and pick its main video stream, as FFmpeg does (the largest; no cover art).

    Raise VideoError naming the file and the reason; also for FFmpeg errors in the body of the ``with``.
    """
    import av

    check_file(path)
    try:
        address = f"file:{os.fspath(path)}"  # else FFmpeg takes "a:b.mp4" for a protocol
        container = av.open(address, options=OPEN_OPTIONS, metadata_errors="replace")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"{path}: {_why_unopened(path, error)}") from error
    with container:
        stream = _main_stream(path, container)
        check_frame(path, stream.codec_context.width, stream.codec_context.height)
        stream.codec_context.options = {"max_pixels": str(max_frame_pixels())}  # of frames further on, too
        try:
            yield container, stream
        except av.error.FFmpegError as error:
            raise damaged(path, error) from error


def made_by(path: str | os.PathLike[str]) -> str:
    """Return the tag of a rendered video or folder of pictures, else "".

    Raise VideoError if the header cannot be read.
    """
    if os.path.isdir(path):
        return folder_tag(Path(path))
    with open_video(path) as (container, _):
        return tag_in(container.metadata)


def check_plain(name: str, container: str) -> None:
    """Raise UserError for a container that may name other files, as a playlist does. container: its FFmpeg names."""
    if not set(container.split(",")) & PLAIN_CONTAINERS:
        raise UserError(f"{name}: {container} is not a video container that is taken; re-encode it to mp4")


def check_file(path: str | os.PathLike[str]) -> None:
    """Raise VideoError for what is no file with something in it."""
    file = Path(path)
    try:
        status = file.stat()
    except FileNotFoundError:
        raise VideoError(f"{path}: {_no_file(os.fspath(path))}") from None
    except (OSError, ValueError) as error:  # a name that is too long, a null character, a loop of links
        raise VideoError(f"{path}: cannot be opened ({getattr(error, 'strerror', None) or error})") from None
    if stat.S_ISCHR(status.st_mode):
        raise VideoError(f"{path}: a device; {NOT_LIVE}")
    if not stat.S_ISREG(status.st_mode):
        raise VideoError(f"{path}: not a file; {NOT_LIVE}" if stat.S_ISFIFO(status.st_mode) else f"{path}: not a file")
    if not os.access(file, os.R_OK):
        raise VideoError(f"{path}: no permission to read it")
    if status.st_size == 0:
        raise VideoError(f"{path}: the file is empty (0 bytes); download it again")
    with file.open("rb") as data:
        if data.read(4) == APPLE_DOUBLE:
            raise VideoError(f"{path}: not a video, but what macOS keeps beside one (AppleDouble); leave it out")


def _no_file(path: str) -> str:
    """Return why a path that leads nowhere is none, where it is a stream's or a camera's name."""
    scheme = path.partition(":/")[0].lower()
    if scheme in ("http", "https"):
        return "an address is fetched on the command line of ground and by Grounder only; fetch it and give the file"
    if ":/" in path and scheme.isalnum() and len(scheme) > 1:
        return f"a {scheme} stream; {NOT_LIVE}"
    if path == "-" or path.isdigit() or path.startswith(("/dev/video", "video=")):
        return f"no such file; {NOT_LIVE}"
    return "no such file; check the path and the video root"


def damaged(path: str | os.PathLike[str], error: object) -> VideoError:
    """Return the error of a file that opens but cannot be read to the end of what is wanted."""
    return VideoError(
        f"{path}: the file is damaged or cut short ({_told(error)}); a clip with missing "
        "seconds would lie about time, so it is refused: download the file again, or leave it out"
    )


def _told(error: object) -> str:
    """Return our own words, or FFmpeg's."""
    return error if isinstance(error, str) else f"FFmpeg: {_reason(error)}"


def _reason(error: object) -> str:
    """Return FFmpeg's own words for an error, without the file name."""
    return str(getattr(error, "strerror", None) or error)


def _main_stream(path: str | os.PathLike[str], container: InputContainer) -> VideoStream:
    """Return the video stream to read, with threads on."""
    from av.stream import Disposition

    stream = container.streams.best("video")
    if stream is None or container.format.name in NOT_VIDEO_FORMATS:
        kind = "it holds only sound, which is not listened to" if container.streams.audio else "it is not a video"
        raise VideoError(f"{path}: no video stream: {kind}")
    if stream.disposition & Disposition.attached_pic:
        raise VideoError(f"{path}: no video stream: it holds sound and a cover picture")
    if stream.codec_context is None:
        raise VideoError(f"{path}: no decoder for its codec in this FFmpeg; re-encode it to H.264")
    return stream  # type: ignore[return-value]


def _why_unopened(path: str | os.PathLike[str], error: Exception) -> str:
    """Return why FFmpeg could not open a file that exists and is not empty."""
    with open(path, "rb") as file:
        head = file.read(PROBED_BYTES)
    if head[4:8] == b"ftyp" and not has_moov(path):
        return "an mp4 without its index (no moov box): the download or the recording did not finish; download it again"
    if head.lstrip()[:1] == b"<":
        return "a web page, not a video: the download got an error page; download it again"
    return f"not a video, or its header is damaged (FFmpeg: {_reason(error)}); download it again"
