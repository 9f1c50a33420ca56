"""A real HTTP server that speaks as much of the Hub's language as fetching a model takes."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SHA = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def fake_hub(models: Mapping[str, Path], pause_s: float = 0.0) -> Iterator[str]:
    """Serve folders as models under their ids, for as long as the block lasts; gives the address.

    pause_s: before each answer.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer()

        def answer(self, body: bool = True) -> None:
            time.sleep(pause_s)
            path = self.path.partition("?")[0].strip("/")
            for name, folder in models.items():
                files = sorted(file for file in folder.iterdir() if file.is_file())
                if path.startswith(f"api/models/{name}"):
                    if path.endswith("/additional_chat_templates"):
                        return self.refuse("EntryNotFound")
                    rest = path.removeprefix(f"api/models/{name}")
                    return self.send(json.dumps(listing(name, files, tree="/tree/" in rest)).encode(), body, {})
                if path.startswith(f"{name}/resolve/"):
                    file = folder / path.rpartition("/")[2]
                    if file.is_file():
                        data = file.read_bytes()
                        etag = hashlib.sha256(data).hexdigest()
                        return self.send(data, body, {"X-Repo-Commit": SHA, "ETag": f'"{etag}"'})
                    return self.refuse("EntryNotFound")
            self.refuse("RepoNotFound")

        def send(self, data: bytes, body: bool, headers: Mapping[str, str]) -> None:
            self.send_response(200)
            for key, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(key, value)
            self.end_headers()
            if body:
                self.wfile.write(data)

        def refuse(self, code: str) -> None:
            self.send_response(404)
            for key, value in (("X-Error-Code", code), ("X-Error-Message", code), ("Content-Length", "0")):
                self.send_header(key, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def listing(name: str, files: list[Path], tree: bool) -> object:
    if tree:
        return [{"type": "file", "path": f.name, "size": f.stat().st_size, "oid": SHA} for f in files]
    return {"id": name, "sha": SHA, "private": False, "siblings": [{"rfilename": f.name} for f in files]}
