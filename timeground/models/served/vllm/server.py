"""A vLLM server that `timeground serve` started: token ids and clips in, token ids and log-probabilities out.

What it speaks is vLLM's own (0.32): ``/inference/v1/generate`` takes token ids with media, ``return_token_ids`` gives
back the prompt that the model saw, ``/collective_rpc`` reaches the worker extension that reads new weights,
``/v1/load_lora_adapter`` takes adapters, and each answer says with which version of the weights it was made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

from timeground.errors import UserError
from timeground.models.families import Family
from timeground.models.sampling import BARRED_LOGIT, AnswerTokens, Sampled, SampleSpec
from timeground.models.served.http import BadReply, HttpClient, NotThere, ServerGone

ADAPTER = "timeground-adapter"
"""The name by which answers are asked of a model with the trainer's adapter."""
QUICK_S = 30.0
"""Seconds in which a server that is well says so."""


class PromptDiffers(UserError):
    """The server made another prompt than we have."""


def sampling_params(spec: SampleSpec, tokens: AnswerTokens) -> dict[str, Any]:
    """Return vLLM's names for how to sample; settings of a checkpoint's generation_config.json play no part.

    Raise UserError where the room for an answer is not said.
    """
    if spec.max_new_tokens is None:
        raise UserError("sampling: max_new_tokens is not said")
    narrowed = {name: getattr(spec, name) for name in spec.narrowed}
    stops = {"stop": list(spec.stop), "detokenize": True} if spec.stop else {"detokenize": False}
    return {
        "n": spec.num_answers,
        "temperature": spec.temperature,
        "seed": spec.seed,
        "max_tokens": spec.max_new_tokens,
        "ignore_eos": True,
        "stop_token_ids": [tokens.end_id],
        "logit_bias": {str(i): BARRED_LOGIT for i in tokens.barred_ids},
        "logprobs": 0,
        **stops,
        **narrowed,
    }


@contextmanager
def readable(url: str) -> Iterator[None]:
    """Raise BadReply for what a server's reply lacks."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise BadReply(f"{url} sent a reply of another form than vLLM's ({type(error).__name__}: {error})") from None


class VllmServer:
    """One server. `show` turns token ids into text, for messages."""

    def __init__(self, http: HttpClient, model: str, family: Family, show: Callable[[Sequence[int]], str]) -> None:
        self.http, self.model, self.family, self.show = http, model, family, show

    def body(self, placed: Sequence[int], parts: Sequence[dict[str, Any]], sampling: dict[str, Any]) -> dict[str, Any]:
        """Return a request for answers to a prompt. placed: its ids, with one visual token for each piece of media."""
        return {
            "model": self.model,
            "token_ids": list(placed),
            "content_parts": list(parts),
            "sampling_params": sampling,
            "return_token_ids": True,
        }

    def generate(self, ids: Sequence[int], body: dict[str, Any], tries: int = 0) -> list[Sampled]:
        """Return answers to a prompt. body: the request for them.

        Raise PromptDiffers if the server made another one of it, ServerGone if it does not answer or gave up.
        """
        try:
            reply = self.http.request("POST", "inference/v1/generate", tries=tries, json=body)
        except NotThere as error:
            if self.model != ADAPTER:
                raise
            raise ServerGone(f"{self.http.url} does not have the adapter ({error})") from None  # it was started anew
        self.check_prompt(ids, reply)
        return self.answers(reply)

    def answers(self, reply: dict[str, Any]) -> list[Sampled]:
        """Return the answers of a reply. Raise BadReply where it holds none of the expected form."""
        with readable(self.http.url):
            return self._answers(reply)

    def _answers(self, reply: dict[str, Any]) -> list[Sampled]:
        if any(choice["finish_reason"] not in ("stop", "length") for choice in reply["choices"]):
            raise ServerGone(f"{self.http.url} gave up on a request")
        return [
            Sampled(
                list(choice["token_ids"]),
                [entry["logprob"] for entry in choice["logprobs"]["content"]],
                frozenset(span["version"] for span in choice.get("weight_versions") or ()),
                stopped=isinstance(choice.get("stop_reason"), str),
            )
            for choice in sorted(reply["choices"], key=lambda choice: int(choice["index"]))
        ]

    def check_prompt(self, ids: Sequence[int], reply: dict[str, Any]) -> None:
        """Compare the prompt that the server's model saw with ours: text, stamps, and tokens of each frame pair."""
        theirs, ours = reply.get("prompt_token_ids"), list(ids)
        if not isinstance(theirs, list):
            raise BadReply(f"{self.http.url} does not tell the prompt that its model saw (prompt_token_ids)")
        if theirs == ours:
            return
        same = [a == b for a, b in zip(ours, theirs, strict=False)]
        at = same.index(False) if False in same else len(same)
        raise PromptDiffers(
            f"{self.http.url} made another prompt than ours, from token {at} on; start it with `timeground serve`, on "
            f"the same model. Ours ({len(ours)} tokens): {self._shown(ours)} ... theirs ({len(theirs)} tokens): "
            f"{self._shown(theirs)}"
        )

    def reply(self, body: dict[str, Any]) -> dict[str, Any]:
        """Make a request; nothing is returned that holds no answer (BadReply)."""
        reply = self.http.request("POST", "inference/v1/generate", json=body)
        self.answers(reply)
        return reply

    def scored(self, reply: dict[str, Any], ids: Sequence[int], option: Sequence[int]) -> float:
        """Return what a reply tells of the log-probability of an option's token ids behind a prompt's."""
        self.check_prompt([*ids, *option], reply)
        with readable(self.http.url):
            told = reply["prompt_logprobs"][len(ids) :]
            return float(sum(entry[str(token)]["logprob"] for entry, token in zip(told, option, strict=True)))

    def version(self) -> str:
        """Return the version of the weights that it holds; "default" are those it was started with."""
        with readable(self.http.url):
            return str(self._quick("GET", "weight_info")["weight_version"])

    def check_training(self, temperature: float, lora_rank: int = 0) -> None:
        """Raise UserError if it was not started for training, or would tell other log-probabilities than ours.

        lora_rank: of the adapter that it will be sent; 0 where none is. It then answers with that adapter only.
        """
        try:
            (told,) = {tuple(sorted(r.items())) for r in self.call("timeground_settings")}
        except ServerGone:
            raise
        except (UserError, KeyError, AttributeError, ValueError) as error:
            raise UserError(
                f"{self.http.url} takes no weights; start it with: timeground serve --train ({error})"
            ) from None
        mode, room = dict(told)["logprobs_mode"], int(dict(told)["lora_rank"])
        if lora_rank > room:
            raise UserError(
                f"{self.http.url} takes adapters up to rank {room}; start it with: timeground serve --train --lora "
                f"{lora_rank}"
            )
        self.model = ADAPTER if lora_rank else self.model
        if mode != "processed_logprobs" and temperature != 1.0:
            raise UserError(
                f"{self.http.url} tells {mode}, not those at temperature {temperature}; start it with: timeground "
                "serve --train"
            )

    @contextmanager
    def renewed(self, version: str) -> Iterator[None]:
        """Give it new weights meanwhile: requests in flight are dropped, and what the old ones computed is forgotten.

        version: the name of the new weights, in the answers that they give.
        """
        self._quick("POST", "pause", params={"mode": "abort"})
        try:
            yield
            for cache in ("prefix", "encoder", "mm"):
                self._reset(cache)
            self._quick("POST", "update_weight_version", json={"new_version": version})
        finally:
            self._quick("POST", "resume")

    def read_weights(self, file: Path) -> None:
        """Have its workers read safetensors, by checkpoint names."""
        if not all(worker["found"] for worker in self.call("timeground_load", str(file))):
            raise self._unreadable(file)

    def read_adapter(self, folder: Path) -> None:
        """Have it read an adapter in peft's form."""
        named = {"lora_name": ADAPTER, "lora_path": str(folder), "load_inplace": True}
        try:
            self.http.request("POST", "v1/load_lora_adapter", tries=1, reads_reply=False, json=named)
        except NotThere:
            raise self._unreadable(folder) from None

    def _unreadable(self, path: Path) -> UserError:
        return UserError(
            f"{self.http.url} cannot read {path}; name a folder that it sees in rollout.shared_folder, or set "
            "rollout.transfer: broadcast"
        )

    def _reset(self, cache: str) -> None:
        for _ in range(20):
            if self._quick("POST", f"reset_{cache}_cache").get("success", True):
                return
            time.sleep(0.1)  # a dropped request still holds a part of it
        raise ServerGone(f"{self.http.url} does not empty its {cache} cache")

    def call(self, method: str, *args: Any) -> list[Any]:
        """Return what each worker returns."""
        reply = self.http.request("POST", "collective_rpc", tries=1, json={"method": method, "args": list(args)})
        with readable(self.http.url):
            results: list[Any] = list(reply["results"])
        return results

    def _quick(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        return self.http.request(method, path, tries=1, timeout=QUICK_S, **more)

    def _shown(self, ids: Sequence[int]) -> str:
        """Return token ids as text on one line, runs of visual tokens counted."""
        visual = self.family.visual_ids
        runs = groupby(ids, key=lambda token: token if token in visual else None)
        return "".join(
            f"[{len(list(run))} visual]" if token is not None else self.show(list(run)) for token, run in runs
        ).replace("\n", "\\n")
