"""One prefix, many continuations: several questions or answers in one row, each blind to the others.

A row is ``[prefix, continuation, continuation, ...]``. The prefix (a video, mostly) attends causally to itself;
each token of a continuation attends to the prefix and to its own continuation. The same layout serves training
(one forward for all answers), answering many questions about one video, and sampling many answers to one.
Position ids are always passed: transformers would otherwise keep `rope_deltas` on the model, where two live
clips overwrite each other.

Shape legend: B rows, L tokens of a row, P prefix, S suffix (all continuations), K cached keys, V vocabulary,
D hidden size, H heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from timeground.errors import UserError
from timeground.models.attention import attend
from timeground.models.prompt import PromptInputs
from timeground.models.vision import VisionFeatures

PACKED_ATTENTION = "timeground_packed"
PREFIX, PADDING, SHARED = -1, -2, -1


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention in two parts: a causal prefix, and a suffix under a mask.

    attention_mask: bool ``[B, 1, S, K]`` for the last S queries; queries before them are a causal prefix, for
    which no mask is built. None: plain causal. Returns ``[B, L, H, head_dim]``.
    """
    length = query.shape[2]
    suffix = 0 if attention_mask is None else attention_mask.shape[2]
    prefix = length - suffix
    parts = []
    if prefix:
        keys, values = (key, value) if attention_mask is None else (key[:, :, :prefix], value[:, :, :prefix])
        parts.append(attend(query[:, :, :prefix], keys, values, causal=prefix > 1, scale=scaling))
    if suffix:
        parts.append(attend(query[:, :, prefix:], key, value, attention_mask, scale=scaling))
    out = parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)
    return out.transpose(1, 2), None


def register_attention() -> None:
    """Make the packed attention known to transformers (as a mask builder it behaves like SDPA)."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(PACKED_ATTENTION, packed_attention)
    AttentionMaskInterface.register(PACKED_ATTENTION, sdpa_mask)


@dataclass(frozen=True)
class Owners:
    """To which continuation each token of one row belongs.

    question: PREFIX for the prefix, PADDING for padding, else the number of the question.
    answer: SHARED for tokens that all answers to a question see, else the number of the answer.
    """

    question: NDArray[np.int64]
    answer: NDArray[np.int64]

    def __add__(self, other: Owners) -> Owners:
        return Owners(np.concatenate([self.question, other.question]), np.concatenate([self.answer, other.answer]))

    def __len__(self) -> int:
        return len(self.question)

    @classmethod
    def of(cls, question: int, answer: int, count: int) -> Owners:
        """`count` tokens of one continuation."""
        return cls(np.full(count, question), np.full(count, answer))


def visibility(owners: Owners, suffix: int) -> NDArray[np.bool_]:
    """Which of a row's tokens the last `suffix` ones see, bool ``[suffix, len(owners)]``."""
    first = len(owners) - suffix
    q_question, q_answer = owners.question[first:, None], owners.answer[first:, None]
    k_question, k_answer = owners.question[None], owners.answer[None]
    own = (k_question == q_question) & ((k_answer == SHARED) | (k_answer == q_answer))
    order = np.arange(len(owners))[None] <= np.arange(first, len(owners))[:, None]
    seen: NDArray[np.bool_] = ((k_question == PREFIX) | own) & order
    return seen


@dataclass
class PackedRows:
    """Rows ready for one forward pass.

    ids_BL, positions_3BL; visual_BL marks visual tokens, whose features are in row order in `features`.
    mask_B1SK: what the last S tokens of each row see (None: all of the row is a causal prefix).
    """

    ids_BL: Tensor
    positions_3BL: Tensor
    visual_BL: Tensor
    features: VisionFeatures | None
    mask_B1SK: Tensor | None


def forward_hidden(model: nn.Module, rows: PackedRows, cache: Any = None) -> Tensor:
    """Hidden states before the vocabulary head, ``[B, L, D]``; the cache, if given, takes the keys and values."""
    core: Any = model.model
    embeds = core.get_input_embeddings()(rows.ids_BL)
    deep: dict[str, Any] = {}
    if rows.features is not None:
        features = rows.features
        mask = rows.visual_BL[..., None].expand_as(embeds)
        embeds = embeds.masked_scatter(mask, features.main_VD.to(embeds.dtype))
        if features.deep:
            deep = {"visual_pos_masks": rows.visual_BL, "deepstack_visual_embeds": list(features.deep)}
    out = core.language_model(
        inputs_embeds=embeds,
        position_ids=rows.positions_3BL,
        attention_mask=rows.mask_B1SK,
        past_key_values=cache,
        use_cache=cache is not None,
        **deep,
    )
    hidden: Tensor = out.last_hidden_state
    return hidden


@dataclass(frozen=True)
class Decoding:
    """How answers are sampled. temperature 0 is greedy; `forbidden_ids` are never sampled.

    tempered: log-probabilities are told at the temperature, not at 1.
    """

    max_new_tokens: int = 64
    temperature: float = 0.0
    num_answers: int = 1
    end_id: int = 0
    forbidden_ids: tuple[int, ...] = ()
    generator: torch.Generator | None = None
    tempered: bool = False


@dataclass
class Answer:
    """Sampled tokens (the end token included, if it came) and the log-probability of each."""

    ids: list[int]
    logprobs: list[float]


class PrefixCache:
    """The keys and values of one prefix, to be continued any number of times."""

    def __init__(self, model: Any, prompt: PromptInputs, features: VisionFeatures | None) -> None:
        from transformers import DynamicCache

        self.model, self.prompt = model, prompt
        self.device = next(model.parameters()).device
        self.cache = DynamicCache(config=model.config.get_text_config())
        visual = np.isin(prompt.ids_L, list(_visual_ids(model)))
        rows = PackedRows(
            ids_BL=self._tensor(prompt.ids_L)[None],
            positions_3BL=self._tensor(prompt.positions_3L)[:, None],
            visual_BL=self._tensor(visual)[None],
            features=features,
            mask_B1SK=None,
        )
        with torch.inference_mode():
            forward_hidden(model, rows, self.cache)

    def answer(self, questions: Sequence[PromptInputs], decoding: Decoding) -> list[list[Answer]]:
        """Answers to each question, `decoding.num_answers` each, all from this prefix."""
        with torch.inference_mode():
            try:
                return _Decoder(self, questions, decoding).run()
            finally:
                self.reset()

    def score(self, question: PromptInputs, options: Sequence[Sequence[int]]) -> list[float]:
        """Log-probability of each option (token ids) as the answer to a question, in one forward pass."""
        ids, positions, owners = (
            list(question.ids_L),
            [question.positions_3L],
            Owners.of(0, SHARED, len(question)),
        )
        for number, option in enumerate(options):
            ids.extend(option)
            positions.append(np.tile(question.next_position + np.arange(len(option)), (3, 1)))
            owners += Owners.of(0, number, len(option))
        with torch.inference_mode():
            try:
                logits = self.extend(np.array(ids), np.concatenate(positions, axis=1), self.owners() + owners)
            finally:
                self.reset()
        logprobs = logits.float().log_softmax(-1)
        scores, at = [], len(question)
        for option in options:
            before = [len(question) - 1, *range(at, at + len(option) - 1)]
            scores.append(float(logprobs[before, list(option)].sum()))
            at += len(option)
        return scores

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

    def __init__(self, prefix: PrefixCache, questions: Sequence[PromptInputs], decoding: Decoding) -> None:
        self.prefix, self.questions, self.decoding = prefix, questions, decoding
        self.answers = [[Answer([], []) for _ in range(decoding.num_answers)] for _ in questions]
        self.live = [(q, a) for q in range(len(questions)) for a in range(decoding.num_answers)]
        self.owners = prefix.owners()

    def run(self) -> list[list[Answer]]:
        logits = self._ask()
        for left in range(self.decoding.max_new_tokens - 1, -1, -1):
            tokens = self._choose(logits)
            kept = [i for i, token in enumerate(tokens) if token != self.decoding.end_id]
            self.live = [self.live[i] for i in kept]
            if not self.live or not left:
                break
            logits = self._step([tokens[i] for i in kept])
        return self.answers

    def _ask(self) -> Tensor:
        """Feed all questions; the logits after the last token of each, repeated for each of its answers."""
        for number, question in enumerate(self.questions):
            self.owners += Owners.of(number, SHARED, len(question))
        ids = np.concatenate([q.ids_L for q in self.questions])
        positions = np.concatenate([q.positions_3L for q in self.questions], axis=1)
        logits = self.prefix.extend(ids, positions, self.owners)
        ends = np.cumsum([len(q) for q in self.questions]) - 1
        return logits[torch.as_tensor(np.repeat(ends, self.decoding.num_answers), device=logits.device)]

    def _choose(self, logits_NV: Tensor) -> list[int]:
        """Pick a token for each live answer and note it there."""
        logits_NV = logits_NV.float()
        if not torch.isfinite(logits_NV).all():
            raise UserError("the model's logits are not finite; its weights are damaged, or its dtype overflows")
        if self.decoding.forbidden_ids:
            logits_NV[:, list(self.decoding.forbidden_ids)] = -torch.inf
        scale = self.decoding.temperature if self.decoding.tempered else 1.0
        logprobs = (logits_NV / scale).log_softmax(-1)
        if self.decoding.temperature > 0:
            shares = (logits_NV / self.decoding.temperature).softmax(-1)
            tokens = torch.multinomial(shares, 1, generator=self.decoding.generator)[:, 0]
        else:
            tokens = logits_NV.argmax(-1)
        chosen = logprobs.gather(1, tokens[:, None])[:, 0].tolist()
        for (q, a), token, logprob in zip(self.live, tokens.tolist(), chosen, strict=True):
            self.answers[q][a].ids.append(token)
            self.answers[q][a].logprobs.append(logprob)
        return [int(t) for t in tokens.tolist()]

    def _step(self, tokens: list[int]) -> Tensor:
        """Feed one token of each live answer."""
        position = [self.questions[q].next_position + len(self.answers[q][a].ids) - 1 for q, a in self.live]
        for q, a in self.live:
            self.owners += Owners.of(q, a, 1)
        return self.prefix.extend(np.array(tokens), np.tile(np.array(position), (3, 1)), self.owners)


def _visual_ids(model: nn.Module) -> tuple[int, int]:
    config: Any = model.config
    return config.image_token_id, config.video_token_id
