"""A real HTTP server whose answers a test makes up: a sentence, a refusal, half a reply, nonsense."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DIES, NONSENSE, EMPTY = object(), object(), object()
"""Replies: the connection ends in the middle; a page of HTML with status 200; JSON that holds no choice."""


class Raw:
    """A reply of one's own making: body, headers, pieces with pauses between."""

    def __init__(
        self, content: bytes | str, *, headers: dict[str, str] | None = None, times: int = 1, pause_s: float = 0.0
    ) -> None:
        self.content = content.encode() if isinstance(content, str) else content
        self.headers, self.times, self.pause_s = headers or {}, times, pause_s

    def write(self, handler: BaseHTTPRequestHandler) -> None:
        """Send it: `content` over and over, and the connection closed at the end."""
        handler.send_response(200)
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.close_connection = True
        with contextlib.suppress(OSError):  # whoever asked has gone
            for _ in range(self.times):
                handler.wfile.write(self.content)
                handler.wfile.flush()
                time.sleep(self.pause_s)


class Script:
    """What the server does. reply: from the question's text to an answer, a status, or one of the above."""

    def __init__(self, reply: Callable[[str], Any], models: Any = None) -> None:
        self.reply = reply
        self.models = {"data": [{"id": "big"}]} if models is None else models
        self.asked: list[str] = []


@contextmanager
def scripted(reply: Callable[[str], Any], models: Any = None) -> Iterator[tuple[str, Script]]:
    """Serve a model ``big`` for as long as the block lasts; gives the URL and what was asked."""
    script = Script(reply, models)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            listed = self.path.endswith("/models")
            self.send(200 if listed else 404, json.dumps(script.models if listed else {}))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if not self.path.endswith("/chat/completions"):
                return self.send(404, "{}")
            text = body["messages"][0]["content"][-1]["text"]
            script.asked.append(text)
            said = script.reply(text)
            if said is DIES:
                self.send(200, '{"choices": [', length=1000)
                self.close_connection = True
            elif said is NONSENSE:
                self.send(200, "<html>It works!</html>")
            elif said is EMPTY:
                self.send(200, "{}")
            elif isinstance(said, Raw):
                said.write(self)
            elif isinstance(said, int):
                self.send(said, json.dumps({"error": {"message": "I will not answer that"}}))
            else:
                told = [{"token": word, "logprob": -0.1} for word in said.split()]
                choice = {
                    "message": {"role": "assistant", "content": said},
                    "logprobs": {"content": told},
                    "finish_reason": "stop",
                }
                self.send(200, json.dumps({"choices": [choice] * body.get("n", 1)}))

        def send(self, status: int, content: str, length: int | None = None) -> None:
            data = content.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(length or len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", script
    finally:
        server.shutdown()
        server.server_close()
