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

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from timeground.models.local.attention import attend
from timeground.models.local.towers import VisionFeatures

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
