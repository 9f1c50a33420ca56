"""Keeps a page to its own files: no address of the network, and no path that was not uploaded, can be named."""

from __future__ import annotations

import re
from typing import Any

import gradio as gr

FOREIGN = re.compile(r"/(?:proxy=|file[=/])\s*/*(?:[a-z][a-z0-9+.-]*:|\\)|/proxy=", re.IGNORECASE)
"""Addresses by which Gradio would fetch something from the network for whoever asks."""


class GuardedBlocks(gr.Blocks):
    """A page whose inputs name uploaded files only.

    Gradio already refuses paths outside its upload folder. It would download addresses, though, without regard to
    the limit on uploads, so they are refused in every input.
    """

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *args: Any, **kwargs: Any) -> Any:
        """Gradio's own, after a look at every file that is named."""
        if names_an_address(inputs):
            raise gr.Error(
                "send the file itself (handle_file in gradio_client), not its address", print_exception=False
            )
        return await super().preprocess_data(block_fn, inputs, *args, **kwargs)


def names_an_address(data: Any) -> bool:
    """Whether a file's path or URL somewhere in this data leads to the network."""
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
        await self.app(scope, receive, send)
