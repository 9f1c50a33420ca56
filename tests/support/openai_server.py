"""A real HTTP server that speaks OpenAI's chat protocol and answers with transformers' own processor and model."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import torch
from PIL import Image


class Served:
    """The model behind the server. requests: bodies that came. fail_next: how many to refuse with status 503."""

    def __init__(self, folder: str) -> None:
        from transformers import AutoModelForImageTextToText, AutoProcessor

        self.folder = folder
        self.processor = AutoProcessor.from_pretrained(folder)
        self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
        self.requests: list[dict[str, Any]] = []
        self.fail_next = 0
        self.lock = threading.Lock()

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """The reply to a chat request."""
        content = [_part(part) for part in body["messages"][0]["content"]]
        images = [part["image"] for part in content if part["type"] == "image"]
        text = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
        )
        inputs = self.processor(text=[text], images=images, return_tensors="pt", do_resize=False)
        config, end = self.model.config, self.processor.tokenizer.convert_tokens_to_ids("<|im_end|>")
        barred = [
            config.image_token_id,
            config.video_token_id,
            config.vision_start_token_id,
            config.vision_end_token_id,
        ]
        with torch.no_grad():
            out = self.model.generate(
                **inputs, max_new_tokens=body["max_tokens"], do_sample=False, eos_token_id=end, pad_token_id=end,
                bad_words_ids=[[i] for i in barred], output_scores=True, return_dict_in_generate=True,
            )  # fmt: skip
        ids = out.sequences[0, inputs["input_ids"].shape[1] :].tolist()
        told = [self._told(score[0].log_softmax(-1), i, body) for score, i in zip(out.scores, ids, strict=True)]
        text = self.processor.tokenizer.decode(ids, skip_special_tokens=True)
        choice = {
            "message": {"role": "assistant", "content": text},
            "logprobs": {"content": told},
            "finish_reason": "stop" if ids[-1] == end else "length",
        }
        return {"choices": [choice] * body.get("n", 1)}

    def _told(self, logprobs: torch.Tensor, chosen: int, body: dict[str, Any]) -> dict[str, Any]:
        decode = self.processor.tokenizer.decode
        best = logprobs.topk(body.get("top_logprobs") or 1)
        top = [{"token": decode([i]), "logprob": v} for v, i in zip(best[0].tolist(), best[1].tolist(), strict=True)]
        return {"token": decode([chosen]), "logprob": float(logprobs[chosen]), "top_logprobs": top}


def _part(part: dict[str, Any]) -> dict[str, Any]:
    if part["type"] == "text":
        return part
    data = base64.b64decode(part["image_url"]["url"].partition(",")[2])
    return {"type": "image", "image": Image.open(io.BytesIO(data)).convert("RGB")}


@contextmanager
def serve(folder: str) -> Iterator[tuple[str, Served]]:
    """Serve a model folder as ``tiny`` for as long as the block lasts; gives the URL."""
    served = Served(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply(200, {"data": [{"id": "tiny", "root": served.folder}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if not self.path.endswith("/chat/completions"):
                return self.reply(404, {"error": {"message": f"no such path {self.path}"}})
            with served.lock:
                served.requests.append(body)
                if served.fail_next:
                    served.fail_next -= 1
                    return self.reply(503, {"error": {"message": "busy"}})
                if body["model"] != "tiny":
                    return self.reply(404, {"error": {"message": f"no model {body['model']}"}})
                self.reply(200, served.answer(body))

        def reply(self, status: int, content: dict[str, Any]) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", served
    finally:
        server.shutdown()
        server.server_close()
