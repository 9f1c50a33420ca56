"""Fetches a video from an http(s) address into a file: with a limit, no playlists, no other protocol.

Only what a user names on the command line or in Python is fetched; rows and the page never name an address.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar
from urllib.parse import urljoin, urlsplit

from timeground.errors import VideoError
from timeground.files.scratch import named_by_process, remove_of_dead
from timeground.files.whole_files import output_errors
from timeground.media.limits import SETTING, max_fetched_bytes

if TYPE_CHECKING:
    import httpx

WEB = ("http", "https")
MOST_REDIRECTS = 5
CONNECT_S, SILENCE_S = 10.0, 30.0
"""How long is waited for a connection, and between two pieces of a file."""
PIECE_BYTES = 1 << 20
PLAYLISTS = ("mpegurl", "dash+xml", "x-scpls", "vnd.ms-sstr+xml", "pls+xml", "xspf+xml")
"""In types of content: lists of other addresses."""
Owner = TypeVar("Owner")
OnBytes = Callable[[int, int | None], None]
"""Told how many bytes have come, and of how many if that is known."""


def is_web(video: object) -> bool:
    """Return whether a video is named by an http(s) address."""
    return isinstance(video, str) and video.lower().startswith(("http://", "https://"))


def shown(url: str) -> str:
    """Return an address for messages, without passwords and signatures."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def fetch(url: str, folder: Path, on_bytes: OnBytes | None = None) -> Path:
    """Return the file in a folder that a video was fetched into.

    Raise VideoError, in a line without the address's secrets, for what does not come, is too large or is no video.
    """
    import httpx

    file = folder / (re.sub(r"[^\w.-]+", "_", urlsplit(url).path.rpartition("/")[2])[-100:].lstrip(".") or "video")
    timeout = httpx.Timeout(SILENCE_S, connect=CONNECT_S)
    try:
        with httpx.Client(timeout=timeout, headers={"Accept-Encoding": "identity"}) as client:
            _fetch(client, url, url, MOST_REDIRECTS, file, on_bytes)
        _check_video(file, url)
    except httpx.HTTPError as error:
        file.unlink(missing_ok=True)
        come = "the file was cut off" if isinstance(error, httpx.RemoteProtocolError) else "it cannot be fetched"
        _refuse(url, f"{come} ({_reason(error)}); try again")
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    return file


def fetched_for(owner: Callable[[Path], Owner], url: str) -> Owner:
    """Return what `owner` makes of a fetched file, which is removed with it, or when the process ends."""
    base = Path(tempfile.gettempdir())
    remove_of_dead(base, "timeground-fetched")
    folder = named_by_process("timeground-fetched", base)
    with output_errors(folder):
        folder.mkdir(mode=0o700)
    try:
        made = owner(fetch(url, folder))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(made, shutil.rmtree, folder, ignore_errors=True)
    return made


def _fetch(client: httpx.Client, named: str, url: str, redirects: int, file: Path, on_bytes: OnBytes | None) -> None:
    """Fetch what an address gives, or what it leads to. named: the address that the user gave, for messages."""
    if urlsplit(url).scheme.lower() not in WEB:
        _refuse(named, f"it leads to {urlsplit(url).scheme or 'nothing'}://, and only http and https are fetched")
    with client.stream("GET", url) as answer:
        if answer.is_redirect:
            if not redirects:
                _refuse(named, f"more than {MOST_REDIRECTS} redirections")
            target = urljoin(url, answer.headers["location"])
        else:
            _keep(answer, named, file, on_bytes)
            return
    _fetch(client, named, target, redirects - 1, file, on_bytes)


def _keep(answer: httpx.Response, named: str, file: Path, on_bytes: OnBytes | None) -> None:
    """Write what comes into a file, up to the limit."""
    if answer.status_code != 200:
        _refuse(named, f"the server says {answer.status_code} ({answer.reason_phrase}); check the address")
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    _check_kind(named, kind)
    length = answer.headers.get("content-length", "")
    total = int(length) if length.isdigit() else None
    _check_size(named, total or 0, file.parent)
    come = 0
    with output_errors(file), file.open("wb") as out:
        for piece in answer.iter_bytes(PIECE_BYTES):
            if not come and piece.lstrip()[:7].upper() in (b"#EXTM3U", b"[PLAYLI"):
                _check_kind(named, PLAYLISTS[0])
            come += len(piece)
            _check_size(named, come, None)
            out.write(piece)
            if on_bytes is not None:
                on_bytes(come, total)


def _check_kind(named: str, kind: str) -> None:
    if any(word in kind for word in PLAYLISTS):
        _refuse(named, "a playlist, which names other addresses; give that of one video file")
    if kind in ("text/html", "application/xhtml+xml"):
        _refuse(named, "a web page, not a video file; give the file's own address, or fetch it with a program for that")


def _check_size(named: str, num_bytes: int, folder: Path | None) -> None:
    """Refuse what is too large, or what a folder has no room for."""
    limit = max_fetched_bytes()
    if num_bytes > limit:
        _refuse(
            named,
            f"more than {limit / 1e9:.3g} GB; fetch it yourself and give the file, or set {SETTING} to allow more",
        )
    if folder is not None and num_bytes > shutil.disk_usage(folder).free:
        _refuse(named, f"{num_bytes / 1e9:.3g} GB, and {folder.parent} has no room for it; set TMPDIR to another place")


def _check_video(file: Path, url: str) -> None:
    """Refuse what is no video that can be opened, in the address's name."""
    from timeground.media.containers.container import open_video

    try:
        with open_video(file):
            pass
    except VideoError as error:
        raise VideoError(str(error).replace(os.fspath(file), shown(url))) from None


def _refuse(url: str, why: str) -> NoReturn:
    raise VideoError(f"{shown(url)}: {why}")


def _reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:150]
