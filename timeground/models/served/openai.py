"""A model at an OpenAI-compatible server: frames as images, with their stamps as text between them.

Any server that takes images takes this: vLLM, SGLang, llama.cpp, a commercial API. Requests are made side by side up
to a bound, tried again when the server is busy or drops one, and answers can be kept in a folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from timeground.chat.layout import TimeEncoding
from timeground.chat.parts import Message
from timeground.chat.profile import Profile, named_profile
from timeground.errors import UserError
from timeground.media.sampling import Sampling
from timeground.models.base import Model
from timeground.models.checkpoint import Checkpoint
from timeground.models.sampling import SampleSpec
from timeground.models.served.chat_session import ChatSession
from timeground.models.served.http import BadReply, HttpClient, KeptReplies

EXTENSIONS = ("top_k", "min_p", "repetition_penalty")
"""Settings that are not in OpenAI's protocol, which says nothing of how a server treats what it does not know."""
EXTENDED = ("vllm", "sglang")
"""Servers that take them, by the owner that they name for their models."""
UNKNOWN_FACTOR = 32
"""Frame sides for a server that does not say what it serves: multiples of so many pixels."""
LEAST_BIAS = -100
"""What the protocol allows to hold a token back with; e^-100 of its probability is left."""


class EndpointModel(Model):
    """A model behind a URL."""

    def __init__(
        self,
        url: str,
        model: str,
        profile: Profile,
        *,
        concurrency: int = 8,
        timeout_s: float = 300.0,
        tries: int = 5,
        cache: str | Path | None = None,
    ) -> None:
        """Stand for a model on a server.

        timeout_s: for one answer. cache: a folder in which answers are kept and looked for.

        After `connect`, `checkpoint` is that of the model folder that the server names, where it can be read from here,
        and `extended` says whether it takes more settings of sampling than OpenAI's protocol has.
        """
        self.name, self.url, self.model_id, self.profile = f"{url}#{model}", url.rstrip("/"), model, profile
        self.checkpoint: Checkpoint | None = None
        self.http = HttpClient(self.url, concurrency=concurrency, timeout_s=timeout_s, tries=tries)
        self.kept = KeptReplies(cache)
        self.pool = ThreadPoolExecutor(concurrency)
        self.extended = False

    @classmethod
    def connect(
        cls, address: str, *, profile: str | None = None, overrides: dict[str, Any] | None = None, **options: Any
    ) -> EndpointModel:
        """Return a model for ``URL#model``; without ``#model`` the server's only model (adapters aside).

        The profile is the named one, else that of the folder that the server says it serves, where it can be read
        from here, else an unchanged `Profile`. Raise UserError if the server does not answer or lacks the model.
        """
        url, _, wanted = address.partition("#")
        made = cls(url, wanted, named_profile(profile) if profile else Profile(), **options)
        listed = made.http.request("GET", "models", tries=2)  # a wrong address is to be told soon
        served = _served(listed, url)
        whole = [name for name, entry in served.items() if not entry.get("parent")]  # vLLM lists adapters too
        if not wanted and len(whole) == 1:
            made.model_id = wanted = whole[0]
        if wanted not in served:
            raise UserError(f"{url} serves {', '.join(served)}; name one of them: --model {url}#{next(iter(served))}")
        made.extended = served[wanted].get("owned_by") in EXTENDED
        root = Path(str(served[wanted].get("root") or ""))
        if (root / "config.json").is_file():
            made.checkpoint = Checkpoint.open(str(root.absolute()))
            own = made.checkpoint.profile
            made.profile = named_profile(profile, own.knows) if profile else own
        made.name = f"{url}#{wanted}"
        made.profile = made.profile.with_changes(overrides or {})
        if made.profile.time_encoding is TimeEncoding.MROPE:  # images carry no such positions, but stamps
            made.profile = made.profile.with_changes({"time_encoding": TimeEncoding.STAMPED_IMAGES})
        if made.checkpoint is not None:  # as images, its family carries any encoding
            made.checkpoint = replace(made.checkpoint, profile=made.profile)
        return made

    @cached_property
    def contents(self) -> str:
        """Return the identity of the model's files, where the folder that is served can be read from here; else ""."""
        return self.checkpoint.contents if self.checkpoint else ""

    def sampling(self) -> Sampling:
        """Return which frames of a video the model wants."""
        return self.checkpoint.sampling if self.checkpoint else self.profile.sampling(UNKNOWN_FACTOR)

    def open(self, messages: Sequence[Message]) -> ChatSession:
        """Begin a conversation."""
        return ChatSession(self, messages)

    def options(self, spec: SampleSpec) -> dict[str, Any]:
        """Return the protocol's names for how to sample. Raise UserError for what the server is not known to take."""
        unknown = [name for name in spec.narrowed if name in EXTENSIONS]
        if unknown and not self.extended:
            raise UserError(
                f"{self.url} is not known to take {', '.join(unknown)}: only servers of {' or '.join(EXTENDED)} are; "
                "leave it out"
            )
        options: dict[str, Any] = {
            "n": spec.num_answers,
            "temperature": spec.temperature,
            "max_tokens": spec.max_new_tokens,
            "seed": spec.seed,
            "logprobs": True,
            **{name: getattr(spec, name) for name in spec.narrowed},
            **({"stop": list(spec.stop)} if spec.stop else {}),
        }
        if self.extended:
            options["chat_template_kwargs"] = {"enable_thinking": self.profile.enable_thinking}
        if self.checkpoint is not None:  # the model is known: no vision placeholder becomes part of an answer
            options["logit_bias"] = {str(i): LEAST_BIAS for i in self.checkpoint.family.forbidden_ids}
        return options

    def chat(self, messages: list[dict[str, Any]], options: dict[str, Any]) -> dict[str, Any]:
        """Return the server's reply to a conversation. options: beside model and messages, such as ``max_tokens``.

        Raise BadReply unless it has as many answers as were asked for, each a text.
        """
        body = {"model": self.model_id, "messages": messages, **options}

        def ask() -> dict[str, Any]:
            return _checked(self.http.request("POST", "chat/completions", json=body), self.url, options.get("n", 1))

        return self.kept.get([self.url, self.contents, body], ask)


def _served(listed: dict[str, Any], url: str) -> dict[str, dict[str, Any]]:
    """Return the models that a server lists, by name."""
    entries = listed.get("data")
    found = {
        entry["id"]: entry
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict) and isinstance(entry.get("id"), str)
    }
    if not found:
        raise UserError(f"{url}/models lists no model with an id; is this the address of an OpenAI-compatible server?")
    return found


def _checked(reply: dict[str, Any], url: str, num_answers: int) -> dict[str, Any]:
    """Return a reply whose choices are texts; parts of texts are joined. Raise BadReply else."""
    choices = reply.get("choices")
    if not isinstance(choices, list) or len(choices) != num_answers:
        count = len(choices) if isinstance(choices, list) else "no"
        raise BadReply(f"{url} sent {count} choices, {num_answers} were asked for")
    for choice in choices:
        message = choice.get("message") if isinstance(choice, dict) else None
        if not isinstance(message, dict):
            raise BadReply(f"{url} sent a choice without a message")
        content = message.get("content")
        if isinstance(content, list) and all(isinstance(p, dict) and isinstance(p.get("text"), str) for p in content):
            content = message["content"] = "".join(part["text"] for part in content)
        if content is not None and not isinstance(content, str):
            raise BadReply(f"{url} sent a message whose content is a {type(content).__name__}, not a text")
    return reply
