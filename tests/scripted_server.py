"""A real HTTP server whose answers a test makes up: a sentence, a refusal, half a reply, nonsense."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DIES, NONSENSE, EMPTY = object(), object(), object()
"""Replies: the connection ends in the middle; a page of HTML with status 200; JSON that holds no choice."""


class Script:
    """What the server does. reply: from the question's text to an answer, a status, or one of the above."""

    def __init__(self, reply: Callable[[str], Any]) -> None:
        self.reply = reply
        self.asked: list[str] = []


@contextmanager
def scripted(reply: Callable[[str], Any]) -> Iterator[tuple[str, Script]]:
    """Serve a model ``big`` for as long as the block lasts; gives the URL and what was asked."""
    script = Script(reply)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            listed = self.path.endswith("/models")
            self.send(200 if listed else 404, json.dumps({"data": [{"id": "big"}]} if listed else {}))

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
