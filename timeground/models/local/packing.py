"""One prefix, many continuations: a tree of questions, answers and what follows them in one row.

A row is ``[prefix, node, node, ...]``. The prefix (a video, mostly) is the tree's root and attends causally to itself;
each token of another node attends to the nodes above its own, and to what comes before it in its own. The same layout
serves training (one forward for all answers), answering many questions about one video, and sampling many answers.
Position ids are always passed: transformers would otherwise keep `rope_deltas` on the model, where two live
clips overwrite each other.

Shape legend: B rows, L tokens of a row, P prefix, S suffix (all other nodes), K cached keys, V vocabulary,
D hidden size, H heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from timeground.models.local.attention import attend
from timeground.models.local.delta_net import FULL, LINEAR, Branches, has_states
from timeground.models.local.layer_cache import LayerCache
from timeground.models.local.towers import VisionFeatures
from timeground.models.local.tree import Tree

PACKED_ATTENTION = "timeground_packed"


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attend in two parts: a causal prefix, and a suffix under a mask. Return ``[B, L, H, head_dim]``.

    attention_mask: bool ``[B, 1, S, K]`` for the last S queries; queries before them are a causal prefix, for
    which no mask is built. None: plain causal.
    """
    length = query.shape[2]
    suffix = 0 if attention_mask is None else attention_mask.shape[2]
    prefix = length - suffix
    parts: tuple[Tensor, ...] = ()  # no list: a compiler would meet another `append` in each call
    if prefix:
        keys, values = (key, value) if attention_mask is None else (key[:, :, :prefix], value[:, :, :prefix])
        first = attend(query[:, :, :prefix], keys, values, causal=prefix > 1, scale=scaling)
        parts = (first,)
    if suffix:
        last = attend(query[:, :, prefix:], key, value, attention_mask, scale=scaling)
        parts = (*parts, last)
    out = parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)
    return out.transpose(1, 2), None


def register_attention() -> None:
    """Make the packed attention known to transformers (as a mask builder it behaves like SDPA)."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(PACKED_ATTENTION, packed_attention)
    AttentionMaskInterface.register(PACKED_ATTENTION, sdpa_mask)


@dataclass
class PackedRows:
    """Rows ready for one forward pass."""

    ids_BL: Tensor
    positions_3BL: Tensor
    visual_BL: Tensor
    """Marks visual tokens."""
    features: VisionFeatures | None
    """Of the visual tokens, in row order."""
    mask_B1SK: Tensor | None
    """What the last S tokens of each row see (None: all of the row is a causal prefix)."""
    trees: Sequence[Tree]
    """Of each row; a pass that goes on from a cache has the last tokens of it."""


def forward_hidden(model: nn.Module, rows: PackedRows, cache: LayerCache | None = None) -> Tensor:
    """Return hidden states before the vocabulary head, ``[B, L, D]``; a cache that is given takes what layers keep."""
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
        attention_mask=_masks(model, rows),
        past_key_values=None if cache is None else cache.past,
        use_cache=cache is not None,
        **deep,
    )
    hidden: Tensor = out.last_hidden_state
    return hidden


def _masks(model: nn.Module, rows: PackedRows) -> Any:
    """Return what tells each kind of layer which tokens a token goes on from."""
    if not has_states(model):
        return rows.mask_B1SK
    length = rows.ids_BL.shape[1]
    first = len(rows.trees[0]) - length
    return {FULL: rows.mask_B1SK, LINEAR: Branches.of(rows.trees, first, length, rows.ids_BL.device)}
