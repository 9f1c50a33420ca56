"""Answers from one prefix: its keys and values (or states) are computed once, and questions go on from them.

Shape legend: L tokens of the prefix, S tokens that are appended, N live answers, V vocabulary.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import nullcontext
from functools import reduce
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from timeground.models.inputs import PromptInputs
from timeground.models.local.layer_cache import KeptPrefix, LayerCache
from timeground.models.local.packing import PackedRows, forward_hidden
from timeground.models.local.towers import VisionFeatures
from timeground.models.local.tree import ROOT, Tree, visibility
from timeground.models.sampling import AnswerTokens, Sampled, SampleSpec, TokenChooser


class PrefixCache:
    """What layers keep of one prefix, to be continued any number of times.

    kept: the same for a loss, where that was asked for.
    """

    def __init__(self, model: Any, prompt: PromptInputs, features: VisionFeatures | None, keep: bool = False) -> None:
        self.model, self.prompt = model, prompt
        self.device = next(model.parameters()).device
        self.cache = LayerCache(model)
        with nullcontext() if keep else torch.inference_mode():
            forward_hidden(model, self._rows(prompt, features, None), self.cache)
        self.kept = KeptPrefix.of(self.cache) if keep else None

    def grow(self, more: PromptInputs, features: VisionFeatures | None) -> None:
        """Make what follows the prefix a part of it. features: of the visual tokens in it."""
        self.prompt = self.prompt.joined(more)
        see = np.tri(len(more), len(self.prompt), len(self.prompt) - len(more), dtype=np.bool_)
        with torch.inference_mode():
            forward_hidden(self.model, self._rows(more, features, self._tensor(see)[None, None]), self.cache)

    def fork(self) -> PrefixCache:
        """Return a copy that grows apart from this one; what both have is held once."""
        other = copy.copy(self)
        other.cache = self.cache.fork()
        return other

    def _rows(self, prompt: PromptInputs, features: VisionFeatures | None, mask_B1SK: Tensor | None) -> PackedRows:
        visual = np.isin(prompt.ids_L, list(_visual_ids(self.model)))
        return PackedRows(
            ids_BL=self._tensor(prompt.ids_L)[None],
            positions_3BL=self._tensor(prompt.positions_3L)[:, None],
            visual_BL=self._tensor(visual)[None],
            features=features,
            mask_B1SK=mask_B1SK,
            trees=[self.tree()],
        )

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
        tree = self.tree()
        rows = [_with_options(tree, *one) for one in zip(questions, options, strict=True)]
        with torch.inference_mode():
            try:
                whole = reduce(PromptInputs.joined, rows)
                logits = self.extend(whole.ids_L, whole.positions_3L, tree)
            finally:
                self.reset()
        logprobs = logits.float().log_softmax(-1)
        starts = np.cumsum([0, *(len(row) for row in rows[:-1])])
        return [
            _option_scores(logprobs[start : start + len(row)], len(question), answers)
            for start, row, question, answers in zip(starts, rows, questions, options, strict=True)
        ]

    def tree(self) -> Tree:
        """Return a tree that has the prefix as its root, and nothing below it yet."""
        return Tree(len(self.prompt))

    def extend(self, ids_S: NDArray[np.int64], positions_3S: NDArray[np.int64], tree: Tree) -> Tensor:
        """Append tokens to the cache and return their logits ``[S, V]``; `tree` covers all of the row."""
        mask = self._tensor(visibility(tree, len(ids_S)))[None, None]
        ids = self._tensor(ids_S)[None]
        visual = torch.zeros_like(ids, dtype=torch.bool)
        rows = PackedRows(ids, self._tensor(positions_3S)[:, None], visual, None, mask, [tree])
        hidden = forward_hidden(self.model, rows, self.cache)
        logits: Tensor = self.model.lm_head(hidden[0])
        return logits

    def reset(self) -> None:
        """Forget everything after the prefix."""
        self.cache.cut(len(self.prompt))

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
        self.tree = prefix.tree()
        self.nodes: list[list[int]] = []  # of each question's answers

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
        for question in self.questions:
            asked = self.tree.add(ROOT, len(question))
            self.nodes.append([self.tree.add(asked) for _ in range(self.spec.num_answers)])
        asked_all = reduce(PromptInputs.joined, self.questions)
        logits = self.prefix.extend(asked_all.ids_L, asked_all.positions_3L, self.tree)
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
        """Return the tokens of each live answer's prompt and of itself, where a repetition penalty looks at them."""
        if self.spec.repetition_penalty == 1:
            return []
        prompt = self.prefix.prompt.ids_L.tolist()
        return [[*prompt, *self.questions[q].ids_L.tolist(), *self.answers[q][a].ids] for q, a in self.live]

    def _stops(self, index: int) -> bool:
        """Return whether a stop text has come in a live answer."""
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
        going_on = [self.nodes[q][a] for q, a in self.live]
        self.prefix.cache.keep_states(self.tree, going_on)
        self.tree.grow(going_on)
        return self.prefix.extend(np.array(tokens), np.tile(np.array(position), (3, 1)), self.tree)


def _with_options(tree: Tree, question: PromptInputs, options: Sequence[Sequence[int]]) -> PromptInputs:
    """Return a question's tokens with those of its options behind it, and add both to a tree."""
    asked, row = tree.add(ROOT, len(question)), question
    for option in options:
        tree.add(asked, len(option))
        row = row.joined(PromptInputs.following(option, question.next_position))
    return row


def _option_scores(logprobs_LV: Tensor, question_length: int, options: Sequence[Sequence[int]]) -> list[float]:
    """Return sums over each option's tokens, of a question's row with its options behind it."""
    scores, at = [], question_length
    for option in options:
        before = [question_length - 1, *range(at, at + len(option) - 1)]
        scores.append(float(logprobs_LV[before, list(option)].sum()))
        at += len(option)
    return scores


def _visual_ids(model: nn.Module) -> tuple[int, int]:
    config: Any = model.config
    return config.image_token_id, config.video_token_id
