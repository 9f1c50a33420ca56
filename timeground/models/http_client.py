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
from timeground.whole_files import write_text

BUSY = (408, 409, 425, 429, 500, 502, 503, 504)
"""Statuses after which a request is made again."""


class ServerGone(UserError):
    """A server that does not answer, or not in time."""


class NotThere(UserError):
    """A server that does not know what it was asked for."""


class HttpClient:
    """Requests to one address, with the key of the environment variable OPENAI_API_KEY where it is set."""

    def __init__(self, url: str, *, concurrency: int = 8, timeout_s: float = 300.0, tries: int = 5) -> None:
        """timeout_s: for one answer. concurrency: connections held at a time."""
        self.url, self.tries = url.rstrip("/"), tries
        headers = {"Authorization": f"Bearer {key}"} if (key := os.environ.get("OPENAI_API_KEY")) else {}
        limits = httpx.Limits(max_connections=concurrency)
        self.client = httpx.Client(headers=headers, timeout=timeout_s, limits=limits)

    def at(self, url: str) -> HttpClient:
        """A client of another address on the same server; the connections are shared."""
        other = copy.copy(self)
        other.url = url.rstrip("/")
        return other

    def request(
        self, method: str, path: str, tries: int = 0, *, reads_reply: bool = True, **more: Any
    ) -> dict[str, Any]:
        """The JSON of a reply ({} where it is empty, or its text is not wanted). Tries again with growing pauses.

        Raises ServerGone when all tries failed, NotThere on status 404, UserError when the request was refused.
        """
        problem, tries = "", tries or self.tries
        for turn in range(tries):
            if turn:
                time.sleep(min(30.0, 0.5 * 2**turn))
            try:
                response = self.client.request(method, f"{self.url}/{path}", **more)
            except httpx.TransportError as error:
                problem = str(error) or type(error).__name__
                continue
            if response.status_code in BUSY:
                problem = f"status {response.status_code}"
                continue
            return _decoded(response, self.url, reads_reply)
        raise ServerGone(
            f"{self.url} does not answer ({problem}, {tries} tries); start the server, or correct the address"
        )


class KeptReplies:
    """A folder of replies by what was asked; None keeps nothing."""

    def __init__(self, folder: str | Path | None) -> None:
        self.folder = Path(folder) if folder else None

    def get(self, asked: Any, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The kept reply to `asked` (anything that JSON can hold), or that of `ask`, which is then kept."""
        if self.folder is None:
            return ask()
        name = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
        file = self.folder / name[:2] / f"{name}.json"
        if file.is_file():
            kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            return kept
        reply = ask()
        write_text(file, json.dumps(reply))
        return reply


def _decoded(response: httpx.Response, url: str, reads_reply: bool) -> dict[str, Any]:
    if response.status_code == 200 and not (response.content and reads_reply):
        return {}
    try:
        found = response.json()
    except ValueError:
        found = None
    if response.status_code != 200 or not isinstance(found, dict):
        said = found if isinstance(found, dict) else {}
        reason = said.get("error", said).get("message") if isinstance(said.get("error", said), dict) else said
        shown = " ".join(str(reason or response.text).split())[:300]
        kind = NotThere if response.status_code == 404 else UserError
        raise kind(f"{url} refused the request (status {response.status_code}): {shown}")
    return found
