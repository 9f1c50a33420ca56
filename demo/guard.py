"""Keeps a page to its own files: no address of the network, and no path that was not uploaded, can be named."""

from __future__ import annotations

import re
from typing import Any

import gradio as gr
from starlette.formparsers import MultiPartException

from .settings import MAX_BODY_BYTES, MAX_NESTING

FOREIGN = re.compile(r"/(?:proxy=|file[=/])\s*/*(?:[a-z][a-z0-9+.-]*:|\\)|/proxy=", re.IGNORECASE)
"""Addresses by which Gradio would fetch something from the network for whoever asks."""


TEXTS, BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL), re.compile(rb"[\[\]{}]")


class GuardedBlocks(gr.Blocks):
    """A page whose inputs name uploaded files only.

    Gradio already refuses paths outside its upload folder. It would download addresses, though, without regard to
    the limit on uploads, so they are refused in every input.
    """

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *args: Any, **kwargs: Any) -> Any:
        """Look at every file that is named, and go on as Gradio does."""
        if names_an_address(inputs):
            raise gr.Error(
                "send the file itself (handle_file in gradio_client), not its address", print_exception=False
            )
        return await super().preprocess_data(block_fn, inputs, *args, **kwargs)


def names_an_address(data: Any) -> bool:
    """Return whether a file's path or URL somewhere in this data leads to the network."""
    if isinstance(data, dict):
        named = [data.get("path")]
        return any(isinstance(n, str) and "://" in n for n in named) or any(map(names_an_address, data.values()))
    return isinstance(data, (list, tuple)) and any(map(names_an_address, data))


class OwnFilesOnly:
    """ASGI middleware that refuses requests by which Gradio would fetch an address for the caller."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer 403, or pass on."""
        if scope["type"] == "http" and FOREIGN.search(scope["path"]):
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"only files of this page are served"})
            return
        if scope["type"] == "http" and scope["method"] == "POST" and not scope["path"].endswith("/upload"):
            body = await _small_body(receive)
            if body is None:
                text = f"a request may have {MAX_BODY_BYTES} bytes and {MAX_NESTING} levels of lists".encode()
                plain = [(b"content-type", b"text/plain"), (b"connection", b"close")]
                await send({"type": "http.response.start", "status": 413, "headers": plain})
                await send({"type": "http.response.body", "body": text})
                return
            receive = _replayed(body, receive)
        elif scope["type"] == "http" and scope["method"] == "POST":
            receive = _told_of_leaving(receive)
        await self.app(scope, receive, send)


def _told_of_leaving(receive: Any) -> Any:
    """Return a `receive` that fails where who uploads leaves, in the way that makes Gradio remove what it has so far.

    Without it the log gets a traceback, and the part of the file stays until the server ends.
    """

    async def told() -> Any:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise MultiPartException("the upload was broken off")
        return message

    return told


async def _small_body(receive: Any) -> bytes | None:
    """Return the body of a request; None if it is too large, or nested too deeply for those who parse it."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body"):
            return None if nesting(body) > MAX_NESTING else body


def nesting(body: bytes) -> int:
    """Return how deeply the lists and objects of a JSON text lie in each other."""
    depth = deepest = 0
    for mark in BRACKETS.findall(TEXTS.sub(b"", body)):
        depth += 1 if mark in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _replayed(body: bytes, receive: Any) -> Any:
    given = False

    async def again() -> Any:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
