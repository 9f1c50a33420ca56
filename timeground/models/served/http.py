"""Asks a server for JSON: tries again while it is busy or unreachable, and keeps answers in a folder where asked."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from timeground.errors import UserError
from timeground.files.whole_files import write_text

BUSY = (408, 409, 425, 429, 500, 502, 503, 504)
"""Statuses after which a request is made again."""
MAX_REPLY_BYTES = 64 << 20
"""No answer is larger; what is, is not kept in memory."""


class ServerGone(UserError):
    """A server that does not answer, or not in time."""


class NotThere(UserError):
    """A server that does not know what it was asked for."""


class BadReply(UserError):
    """A reply that is none: another form than the protocol's, too large, or without an end. Others may be right."""


class HttpClient:
    """Requests to one address, with the key of the environment variable OPENAI_API_KEY where it is set."""

    def __init__(self, url: str, *, concurrency: int = 8, timeout_s: float = 300.0, tries: int = 5) -> None:
        """Hold connections to a server, `concurrency` at a time. timeout_s: for one answer, from asking to its end."""
        self.url, self.tries, self.timeout_s = url.rstrip("/"), tries, timeout_s
        headers = {"Authorization": f"Bearer {key}"} if (key := os.environ.get("OPENAI_API_KEY")) else {}
        limits = httpx.Limits(max_connections=concurrency)
        self.client = httpx.Client(headers=headers, timeout=timeout_s, limits=limits)

    def at(self, url: str) -> HttpClient:
        """Return a client of another address on the same server; the connections are shared."""
        other = copy.copy(self)
        other.url = url.rstrip("/")
        return other

    def request(
        self, method: str, path: str, tries: int = 0, *, reads_reply: bool = True, **more: Any
    ) -> dict[str, Any]:
        """Return the JSON of a reply ({} where it is empty, or not wanted); try again with growing pauses.

        Raise ServerGone when all tries failed, NotThere on status 404, UserError when the request was refused, and
        BadReply for a reply that cannot be read, which is not asked for again.
        """
        problem, tries = "", tries or self.tries
        for turn in range(tries):
            if turn:
                time.sleep(min(30.0, 0.5 * 2**turn))
            try:
                status, content = self._exchange(method, path, **more)
            except httpx.TransportError as error:
                problem = str(error) or type(error).__name__
                continue
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
                raise BadReply(f"{self.url} sent a reply that cannot be read ({error})") from None
            if status in BUSY:
                problem = f"status {status}"
                continue
            return _decoded(status, content, self.url, reads_reply)
        raise ServerGone(
            f"{self.url} does not answer ({problem}, {tries} tries); start the server, or correct the address"
        )

    def _exchange(self, method: str, path: str, **more: Any) -> tuple[int, bytes]:
        """Return the status and content of a reply, of bounded size, in bounded time. Raise BadReply else."""
        limit_s = more.get("timeout") or self.timeout_s
        ends_s, content = time.monotonic() + limit_s, bytearray()
        with self.client.stream(method, f"{self.url}/{path}", **more) as response:
            for piece in response.iter_bytes():
                content += piece
                if len(content) > MAX_REPLY_BYTES:
                    raise BadReply(f"{self.url} sent a reply of more than {MAX_REPLY_BYTES >> 20} MB")
                if time.monotonic() > ends_s:
                    raise BadReply(f"{self.url} did not end its reply within {limit_s:g} s")
            return response.status_code, bytes(content)


class KeptReplies:
    """A folder of replies by what was asked; None keeps nothing."""

    def __init__(self, folder: str | Path | None) -> None:
        self.folder = Path(folder) if folder else None

    def get(self, asked: Any, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the kept reply to `asked` (anything that JSON can hold), or that of `ask`, which is then kept."""
        if self.folder is None:
            return ask()
        name = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
        file = self.folder / name[:2] / f"{name}.json"
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
            if isinstance(kept, dict):
                return kept
        except (OSError, ValueError):
            pass  # not there, or damaged: it is asked again
        reply = ask()
        write_text(file, json.dumps(reply))
        return reply


def _decoded(status: int, content: bytes, url: str, reads_reply: bool) -> dict[str, Any]:
    if status == 200 and not (content and reads_reply):
        return {}
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if status == 200 and isinstance(found, dict):
        return found
    said = found if isinstance(found, dict) else {}
    reason = said.get("error", said).get("message") if isinstance(said.get("error", said), dict) else said
    shown = " ".join(str(reason or content[:600].decode(errors="replace")).split())[:300]
    if status == 200:
        raise BadReply(f"{url} sent a reply that is no JSON object: {shown}")
    kind = NotThere if status == 404 else UserError
    raise kind(f"{url} refused the request (status {status}): {shown}")
