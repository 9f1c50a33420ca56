"""How tokens are sampled, and what was sampled: the one way to say it, for every kind of model.

Shape legend: N answers that are sampled together, L tokens, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from timeground.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

BARRED_LOGIT = -1e9
"""The logit of a token that must never be sampled; finite, so that its share of an entropy is 0 and not NaN."""
OFF = {"top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
"""Settings that change which tokens can be drawn, each with the value that changes nothing."""


@dataclass(frozen=True)
class SampleSpec:
    """How to sample answers."""

    num_answers: int = 1
    """To each question."""
    temperature: float = 0.0
    """0 is greedy."""
    max_new_tokens: int | None = None
    """Room for an answer; None leaves it to the model's profile."""
    seed: int = 0
    top_p: float = 1.0
    """Only the likeliest tokens whose shares add up to this much; 1 is all."""
    top_k: int = 0
    """Only so many of the likeliest tokens; 0 is all."""
    min_p: float = 0.0
    """Only tokens with at least this share of the likeliest one's; 0 is all."""
    repetition_penalty: float = 1.0
    """Above 1, tokens of prompt and answer become less likely to come again."""
    stop: tuple[str, ...] = ()
    """Texts at which an answer ends; they are not part of it."""
    tempered: bool = False
    """Whether log-probabilities are told at the temperature, and not at 1."""

    def __post_init__(self) -> None:
        """Raise UserError for what nothing can be sampled with."""
        _check("num_answers", self.num_answers, 1, math.inf)
        _check("max_new_tokens", 1 if self.max_new_tokens is None else self.max_new_tokens, 1, math.inf)
        _check("temperature", self.temperature, 0, math.inf)
        _check("top_p", self.top_p, 0, 1, above=True)
        _check("top_k", self.top_k, 0, math.inf)
        _check("min_p", self.min_p, 0, 1)
        _check("repetition_penalty", self.repetition_penalty, 0, math.inf, above=True)
        if not all(self.stop):
            raise UserError("sampling: stop holds an empty text, which would end every answer at once")

    def with_room(self, max_new_tokens: int) -> SampleSpec:
        """Return the same with this much room for an answer, where none is said."""
        return self if self.max_new_tokens else replace(self, max_new_tokens=max_new_tokens)

    @property
    def narrowed(self) -> list[str]:
        """Return the names of settings by which tokens are drawn from another distribution than the model's own."""
        return [name for name, off in OFF.items() if getattr(self, name) != off]

    def cut(self, text: str) -> str:
        """Return the text up to where the first stop text begins."""
        found = [at for at in (text.find(stop) for stop in self.stop) if at >= 0]
        return text[: min(found)] if found else text


def _check(name: str, value: float, low: float, high: float, above: bool = False) -> None:
    if not (low < value if above else low <= value) or not value <= high or math.isnan(value):
        bounds = f"above {low:g}" if above else f"{low:g} or more"
        raise UserError(
            f"sampling: {name} is {value!r}, expected {bounds}{'' if high == math.inf else f', up to {high:g}'}"
        )


@dataclass
class Sampled:
    """The tokens of one answer."""

    ids: list[int]
    """The end token included, if it came."""
    logprobs: list[float]
    """Of each token."""
    versions: frozenset[str] = frozenset()
    """Of the weights that a server answered with."""
    stopped: bool = False
    """Whether a stop text ended it."""

    def is_finished(self, end_id: int) -> bool:
        """Return whether it came to its end, and was not cut off at the token limit."""
        return self.stopped or (bool(self.ids) and self.ids[-1] == end_id)


@dataclass(frozen=True)
class AnswerTokens:
    """What a checkpoint's tokens mean in an answer."""

    end_id: int
    """Ends an answer; nothing else does."""
    barred_ids: tuple[int, ...] = ()
    """Must never be sampled: placeholders of media."""
    decode: Callable[[Sequence[int]], str] | None = None
    """Returns the text of tokens; needed where stop texts are given."""


class TokenChooser:
    """Picks the next token of each answer, as transformers' generation would by the same settings."""

    def __init__(self, spec: SampleSpec, barred_ids: Sequence[int], generator: Any = None) -> None:
        """Prepare to draw tokens.

        barred_ids: tokens that are never sampled. generator: of random numbers, on the logits' device.
        """
        from transformers import LogitsProcessorList, MinPLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

        self.spec, self.barred_ids, self.generator = spec, list(barred_ids), generator
        self.narrowing = LogitsProcessorList()
        if spec.top_k:
            self.narrowing.append(TopKLogitsWarper(spec.top_k))
        if spec.top_p < 1:
            self.narrowing.append(TopPLogitsWarper(spec.top_p))
        if spec.min_p:
            self.narrowing.append(MinPLogitsWarper(spec.min_p))

    def choose(self, logits_NV: Tensor, histories: Sequence[Sequence[int]] = ()) -> tuple[list[int], list[float]]:
        """Return a token for each answer and its log-probability.

        histories: the tokens of prompt and answer so far, which a repetition penalty looks at.
        Raise UserError where the logits are not finite.
        """
        import torch

        logits_NV = logits_NV.float()
        if not torch.isfinite(logits_NV).all():
            raise UserError("the model's logits are not finite; its weights are damaged, or its dtype overflows")
        if self.barred_ids:
            logits_NV[:, self.barred_ids] = BARRED_LOGIT
        spec = self.spec
        scale = spec.temperature if spec.tempered and spec.temperature else 1.0
        logprobs = (logits_NV / scale).log_softmax(-1)
        if spec.repetition_penalty != 1:
            logits_NV = self._penalised(logits_NV, histories)
        if spec.temperature > 0:
            drawn_NV = self.narrowing(None, logits_NV / spec.temperature)  # type: ignore[arg-type]
            tokens = torch.multinomial(drawn_NV.softmax(-1), 1, generator=self.generator)[:, 0]
        else:
            tokens = logits_NV.argmax(-1)
        return tokens.tolist(), logprobs.gather(1, tokens[:, None])[:, 0].tolist()

    def _penalised(self, logits_NV: Tensor, histories: Sequence[Sequence[int]]) -> Tensor:
        import torch
        from transformers import RepetitionPenaltyLogitsProcessor

        longest = max(len(history) for history in histories)
        padded = [[*history, *([history[0]] * (longest - len(history)))] for history in histories]
        ids_NL = torch.tensor(padded, device=logits_NV.device)
        return RepetitionPenaltyLogitsProcessor(self.spec.repetition_penalty)(ids_NL, logits_NV)  # type: ignore[no-any-return]
