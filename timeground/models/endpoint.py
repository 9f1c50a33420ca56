"""The backend that asks an OpenAI-compatible server: frames as images, with their stamps as text between them.

Any server that takes images takes this: vLLM, SGLang, llama.cpp, a commercial API. Requests are made side by side up
to a bound, tried again when the server is busy or drops one, and answers can be kept in a folder.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from numpy.typing import NDArray

from timeground.errors import UserError
from timeground.models.backend import Completion, Request
from timeground.models.family import Family
from timeground.profile import Profile, named_profile, profile_for
from timeground.timecode import DEFAULT_STAMPS, TextSegment, TimeEncoding, encode_time
from timeground.video.clip import Clip
from timeground.video.sampling import Sampling

BUSY = (408, 409, 425, 429, 500, 502, 503, 504)
"""Statuses after which a request is made again."""
NEVER = -1e9
"""Log-probability of an option that is not among the most likely tokens."""


@dataclass(frozen=True)
class EndpointPrefix:
    """A clip as message content: texts and images."""

    content: list[dict[str, Any]]


class EndpointBackend:
    """A model behind a URL."""

    def __init__(
        self,
        url: str,
        model: str,
        profile: Profile,
        family: Family | None = None,
        *,
        concurrency: int = 8,
        timeout_s: float = 300.0,
        tries: int = 5,
        cache: str | Path | None = None,
    ) -> None:
        """timeout_s: for one answer. cache: a folder in which answers are kept and looked for."""
        self.name, self.url, self.model, self.profile = f"{url}#{model}", url.rstrip("/"), model, profile
        self.family = family or _SOME_QWEN
        self.tries, self.cache = tries, Path(cache) if cache else None
        headers = {"Authorization": f"Bearer {key}"} if (key := os.environ.get("OPENAI_API_KEY")) else {}
        limits = httpx.Limits(max_connections=concurrency)
        self.client = httpx.Client(headers=headers, timeout=timeout_s, limits=limits)
        self.pool = ThreadPoolExecutor(concurrency)

    @classmethod
    def connect(
        cls, address: str, *, profile: str | None = None, overrides: dict[str, Any] | None = None, **options: Any
    ) -> EndpointBackend:
        """A backend for ``URL#model``; without ``#model`` the server's only model.

        The profile is the named one, else that of the folder that the server says it serves, where it can be read
        from here, else Qwen3-VL's. Raises UserError if the server does not answer or does not have the model.
        """
        url, _, wanted = address.partition("#")
        made = cls(url, wanted, named_profile(profile) if profile else Profile(), **options)
        listed = made._request("GET", "models", tries=2)  # a wrong address is to be told soon
        served = {entry["id"]: entry for entry in listed["data"]}
        if not wanted and len(served) == 1:
            made.model = wanted = next(iter(served))
        if wanted not in served:
            raise UserError(f"{url} serves {', '.join(served)}; name one of them: --model {url}#{next(iter(served))}")
        root = Path(str(served[wanted].get("root") or ""))
        if (root / "config.json").is_file():
            made.family, own = _read_folder(root)
            made.profile = made.profile if profile else own
        made.name = f"{url}#{wanted}"
        made.profile = made.profile.with_changes(overrides or {})
        return made

    def sampling(self) -> Sampling:
        """Which frames of a video the model wants."""
        return self.profile.sampling(self.family)

    def encode(self, clip: Clip) -> EndpointPrefix:
        """Every second frame as an image after its stamp: as many images as there would be frame pairs."""
        stamp = self.profile.stamp or DEFAULT_STAMPS.get(self.profile.time_encoding)
        clip, segments = encode_time(clip.thinned(), TimeEncoding.STAMPED_IMAGES, stamp)
        opening = self.profile.prompts().opening
        content = [_text(opening)] if opening else []
        for segment in segments:
            if isinstance(segment, TextSegment):
                content.append(_text(segment.text))
            else:
                content.append(_image(clip.frames[segment.first_frame].permute(1, 2, 0).numpy()))
        return EndpointPrefix(content)

    def sample(
        self, prefix: EndpointPrefix, texts: Sequence[str], request: Request | None = None
    ) -> list[list[Completion]]:
        """Answers to each text; the texts are asked side by side."""
        wanted = request or Request()
        options = {
            "n": wanted.num_answers,
            "temperature": wanted.temperature,
            "max_tokens": wanted.max_new_tokens or self.profile.max_new_tokens,
            "seed": wanted.seed,
            "logprobs": True,
        }
        return list(self.pool.map(lambda text: self._answers(prefix, text, options), texts))

    def score(self, prefix: EndpointPrefix, text: str, options: Sequence[str]) -> list[float]:
        """Log-probability of each option's first token, among the 20 that the server tells; far below else."""
        reply = self._chat(prefix, text, {"temperature": 0.0, "max_tokens": 1, "logprobs": True, "top_logprobs": 20})
        told: dict[str, float] = {}
        for entry in reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"]:
            told.setdefault(entry["token"].strip(), entry["logprob"])
        return [told.get(option, NEVER) for option in options]

    def _answers(self, prefix: EndpointPrefix, text: str, options: dict[str, Any]) -> list[Completion]:
        return [_completion(choice) for choice in self._chat(prefix, text, options)["choices"]]

    def _chat(self, prefix: EndpointPrefix, text: str, options: dict[str, Any]) -> dict[str, Any]:
        messages = [{"role": "user", "content": [*prefix.content, _text(text)]}]
        body = {"model": self.model, "messages": messages, **options}
        file = self._cache_file(body)
        if file is not None and file.is_file():
            kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            return kept
        reply = self._request("POST", "chat/completions", json=body)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            part = file.with_suffix(f".{os.getpid()}-{time.monotonic_ns()}.part")
            part.write_text(json.dumps(reply), encoding="utf-8")
            part.replace(file)
        return reply

    def _cache_file(self, body: dict[str, Any]) -> Path | None:
        if self.cache is None:
            return None
        name = hashlib.sha256(json.dumps([self.url, body], sort_keys=True).encode()).hexdigest()
        return self.cache / name[:2] / f"{name}.json"

    def _request(self, method: str, path: str, tries: int = 0, **more: Any) -> dict[str, Any]:
        """The JSON of a reply. Tries again with growing pauses while the server is busy or unreachable."""
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
            return _decoded(response, self.url)
        raise UserError(
            f"{self.url} does not answer ({problem}, {tries} tries); start the server, or correct the address"
        )


_SOME_QWEN = Family("qwen3_vl", 16, 2, None, -1, -1, -1, -1)
"""Frame sizes for a server that does not say what it serves: multiples of 32 pixels."""


def _read_folder(root: Path) -> tuple[Family, Profile]:
    from transformers import AutoConfig

    from timeground.models.family import family_of

    family = family_of(AutoConfig.from_pretrained(str(root)), str(root))
    return family, profile_for(str(root), family.name)


def _decoded(response: httpx.Response, url: str) -> dict[str, Any]:
    try:
        found = response.json()
    except ValueError:
        found = None
    if response.status_code != 200 or not isinstance(found, dict):
        said = found if isinstance(found, dict) else {}
        reason = said.get("error", said).get("message") if isinstance(said.get("error", said), dict) else said
        shown = " ".join(str(reason or response.text).split())[:300]
        raise UserError(f"{url} refused the request (status {response.status_code}): {shown}")
    return found


def _completion(choice: dict[str, Any]) -> Completion:
    told = (choice.get("logprobs") or {}).get("content") or []
    logprobs = [entry["logprob"] for entry in told if math.isfinite(entry["logprob"])]
    return Completion(
        text=(choice["message"].get("content") or "").strip(),
        num_tokens=len(told),
        mean_logprob=sum(logprobs) / len(logprobs) if logprobs else None,
        finished=choice.get("finish_reason") != "length",
    )


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _image(pixels_HWC: NDArray[Any]) -> dict[str, Any]:
    """A frame as PNG: nothing is lost on the way."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels_HWC).save(buffer, "PNG", compress_level=1)
    data = base64.b64encode(buffer.getvalue()).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
