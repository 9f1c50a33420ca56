"""Answers from one prefix: its keys and values are computed once, and any number of questions goes on from them.

Shape legend: L tokens of the prefix, S tokens that are appended, N live answers, V vocabulary.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from timeground.models.inputs import PromptInputs
from timeground.models.local.packing import PREFIX, SHARED, Owners, PackedRows, forward_hidden, visibility
from timeground.models.local.towers import VisionFeatures
from timeground.models.sampling import AnswerTokens, Sampled, SampleSpec, TokenChooser


@dataclass(frozen=True)
class KeptPrefix:
    """Keys and values of a prefix, of each layer, with the graph that they came from.

    A loss on what goes on from here reaches all that made the prefix.
    """

    layers: list[tuple[Tensor, Tensor]]

    def cache(self, model: Any) -> Any:
        """A cache that begins with them, for one forward pass."""
        cache = _empty_cache(model)
        for number, (keys, values) in enumerate(self.layers):
            cache.update(keys, values, number)
        return cache


class PrefixCache:
    """The keys and values of one prefix, to be continued any number of times.

    kept: the same for a loss, where that was asked for.
    """

    def __init__(self, model: Any, prompt: PromptInputs, features: VisionFeatures | None, keep: bool = False) -> None:
        self.model, self.prompt = model, prompt
        self.device = next(model.parameters()).device
        self.cache = _empty_cache(model)
        with nullcontext() if keep else torch.inference_mode():
            forward_hidden(model, self._rows(prompt, features, None), self.cache)
        self.kept = self._let_go() if keep else None

    def grow(self, more: PromptInputs, features: VisionFeatures | None) -> None:
        """Make what follows the prefix a part of it. features: of the visual tokens in it."""
        self.prompt = self.prompt.joined(more)
        see = np.tri(len(more), len(self.prompt), len(self.prompt) - len(more), dtype=np.bool_)
        with torch.inference_mode():
            forward_hidden(self.model, self._rows(more, features, self._tensor(see)[None, None]), self.cache)

    def fork(self) -> PrefixCache:
        """Return a copy that grows apart from this one; what both have is held once."""
        other = copy.copy(self)
        other.cache = _empty_cache(self.model)
        for number, layer in enumerate(self.cache.layers):
            other.cache.update(layer.keys, layer.values, number)
        return other

    def _rows(self, prompt: PromptInputs, features: VisionFeatures | None, mask_B1SK: Tensor | None) -> PackedRows:
        visual = np.isin(prompt.ids_L, list(_visual_ids(self.model)))
        return PackedRows(
            ids_BL=self._tensor(prompt.ids_L)[None],
            positions_3BL=self._tensor(prompt.positions_3L)[:, None],
            visual_BL=self._tensor(visual)[None],
            features=features,
            mask_B1SK=mask_B1SK,
        )

    def _let_go(self) -> KeptPrefix:
        """Go on without a graph; what had it."""
        layers = []
        for layer in self.cache.layers:
            layers.append((layer.keys, layer.values))
            layer.keys, layer.values = layer.keys.detach(), layer.values.detach()
        return KeptPrefix(layers)

    def answer(self, questions: Sequence[PromptInputs], spec: SampleSpec, tokens: AnswerTokens) -> list[list[Sampled]]:
        """Return answers to each question, `spec.num_answers` each, all from this prefix."""
        with torch.inference_mode():
            try:
                return _Decoder(self, questions, spec, tokens).run()
            finally:
                self.reset()

    def score(self, questions: Sequence[PromptInputs], options: Sequence[Sequence[Sequence[int]]]) -> list[list[float]]:
        """Return the log-probability of each question's options (token ids) as its answer, in one forward pass."""
        if not questions:
            return []
        rows = [self._with_options(number, *one) for number, one in enumerate(zip(questions, options, strict=True))]
        ids, positions, owners = (list(column) for column in zip(*rows, strict=True))
        with torch.inference_mode():
            try:
                whole = sum(owners, self.owners())
                logits = self.extend(np.concatenate(ids), np.concatenate(positions, axis=1), whole)
            finally:
                self.reset()
        logprobs = logits.float().log_softmax(-1)
        starts = np.cumsum([0, *(len(one) for one in ids[:-1])])
        return [
            _option_scores(logprobs[start : start + len(one)], len(question), answers)
            for start, one, question, answers in zip(starts, ids, questions, options, strict=True)
        ]

    def _with_options(
        self, number: int, question: PromptInputs, options: Sequence[Sequence[int]]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], Owners]:
        """A question's tokens with those of its options behind it, their positions, and whose they are."""
        ids, positions, owners = list(question.ids_L), [question.positions_3L], Owners.of(number, SHARED, len(question))
        for option_number, option in enumerate(options):
            ids.extend(option)
            positions.append(np.tile(question.next_position + np.arange(len(option)), (3, 1)))
            owners += Owners.of(number, option_number, len(option))
        return np.array(ids, dtype=np.int64), np.concatenate(positions, axis=1), owners

    def owners(self) -> Owners:
        """The owners of the prefix itself."""
        return Owners.of(PREFIX, SHARED, len(self.prompt))

    def extend(self, ids_S: NDArray[np.int64], positions_3S: NDArray[np.int64], owners: Owners) -> Tensor:
        """Append tokens to the cache and return their logits ``[S, V]``; `owners` covers all of the row."""
        mask = self._tensor(visibility(owners, len(ids_S)))[None, None]
        ids = self._tensor(ids_S)[None]
        rows = PackedRows(ids, self._tensor(positions_3S)[:, None], torch.zeros_like(ids, dtype=torch.bool), None, mask)
        hidden = forward_hidden(self.model, rows, self.cache)
        logits: Tensor = self.model.lm_head(hidden[0])
        return logits

    def reset(self) -> None:
        """Forget everything after the prefix."""
        extra = self.cache.get_seq_length() - len(self.prompt)
        if extra:
            self.cache.crop(-extra)  # a length to keep is refused by newer transformers

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)


class _Decoder:
    """Token-by-token answers to several questions in one row; a finished answer leaves the row."""

    def __init__(
        self, prefix: PrefixCache, questions: Sequence[PromptInputs], spec: SampleSpec, tokens: AnswerTokens
    ) -> None:
        self.prefix, self.questions, self.spec, self.tokens = prefix, questions, spec, tokens
        generator = torch.Generator(prefix.device).manual_seed(spec.seed)
        self.chooser = TokenChooser(spec, tokens.barred_ids, generator)
        self.answers = [[Sampled([], []) for _ in range(spec.num_answers)] for _ in questions]
        self.live = [(q, a) for q in range(len(questions)) for a in range(spec.num_answers)]
        self.owners = prefix.owners()

    def run(self) -> list[list[Sampled]]:
        assert self.spec.max_new_tokens is not None
        logits = self._ask()
        for left in range(self.spec.max_new_tokens - 1, -1, -1):
            chosen = self._choose(logits)
            kept = [i for i, token in enumerate(chosen) if token != self.tokens.end_id and not self._stops(i)]
            self.live = [self.live[i] for i in kept]
            if not self.live or not left:
                break
            logits = self._step([chosen[i] for i in kept])
        return self.answers

    def _ask(self) -> Tensor:
        """Feed all questions; the logits after the last token of each, repeated for each of its answers."""
        for number, question in enumerate(self.questions):
            self.owners += Owners.of(number, SHARED, len(question))
        ids = np.concatenate([q.ids_L for q in self.questions])
        positions = np.concatenate([q.positions_3L for q in self.questions], axis=1)
        logits = self.prefix.extend(ids, positions, self.owners)
        ends = np.cumsum([len(q) for q in self.questions]) - 1
        return logits[torch.as_tensor(np.repeat(ends, self.spec.num_answers), device=logits.device)]

    def _choose(self, logits_NV: Tensor) -> list[int]:
        """Pick a token for each live answer and note it there."""
        chosen, logprobs = self.chooser.choose(logits_NV, self._histories())
        for (q, a), token, logprob in zip(self.live, chosen, logprobs, strict=True):
            self.answers[q][a].ids.append(token)
            self.answers[q][a].logprobs.append(logprob)
        return chosen

    def _histories(self) -> list[list[int]]:
        """The tokens of each live answer's prompt and of itself, where a repetition penalty looks at them."""
        if self.spec.repetition_penalty == 1:
            return []
        prompt = self.prefix.prompt.ids_L.tolist()
        return [[*prompt, *self.questions[q].ids_L.tolist(), *self.answers[q][a].ids] for q, a in self.live]

    def _stops(self, index: int) -> bool:
        """Whether a stop text has come in a live answer."""
        if not self.spec.stop:
            return False
        assert self.tokens.decode is not None
        q, a = self.live[index]
        answer = self.answers[q][a]
        text = self.tokens.decode(answer.ids)
        answer.stopped = self.spec.cut(text) != text
        return answer.stopped

    def _step(self, tokens: list[int]) -> Tensor:
        """Feed one token of each live answer."""
        position = [self.questions[q].next_position + len(self.answers[q][a].ids) - 1 for q, a in self.live]
        for q, a in self.live:
            self.owners += Owners.of(q, a, 1)
        return self.prefix.extend(np.array(tokens), np.tile(np.array(position), (3, 1)), self.owners)


def _option_scores(logprobs_LV: Tensor, question_length: int, options: Sequence[Sequence[int]]) -> list[float]:
    """Sums over each option's tokens, of a question's row with its options behind it."""
    scores, at = [], question_length
    for option in options:
        before = [question_length - 1, *range(at, at + len(option) - 1)]
        scores.append(float(logprobs_LV[before, list(option)].sum()))
        at += len(option)
    return scores


def _empty_cache(model: Any) -> Any:
    from transformers import DynamicCache

    return DynamicCache(config=model.config.get_text_config())


def _visual_ids(model: nn.Module) -> tuple[int, int]:
    config: Any = model.config
    return config.image_token_id, config.video_token_id
