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

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from timeground.models.local.attention import attend
from timeground.models.local.towers import VisionFeatures

PACKED_ATTENTION = "timeground_packed"
ROOT = 0
"""The number of a tree's root."""


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


class Tree:
    """Which node each token of a row belongs to, and which node each node goes on from.

    The root is the row's prefix; a question is below it, an answer below a question, a tool's result below an answer.
    """

    def __init__(self, prefix: int) -> None:
        """Begin with a root of `prefix` tokens."""
        self.parents = [-1]  # the root has none
        self.nodes_L = np.full(prefix, ROOT)
        self._lineage: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.nodes_L)

    def add(self, parent: int, count: int = 0) -> int:
        """Append a node of `count` tokens below another; return its number."""
        self.parents.append(parent)
        self._lineage = None
        node = len(self.parents) - 1
        self.grow([node] * count)
        return node

    def grow(self, nodes: Sequence[int]) -> None:
        """Append one token to each of these nodes, in this order."""
        self.nodes_L = np.concatenate([self.nodes_L, np.array(nodes, dtype=np.int64)])

    def lineage(self) -> NDArray[np.bool_]:
        """Return which nodes are a node itself or above it, ``[nodes, nodes]``, a row for each node."""
        if self._lineage is None:
            self._lineage = np.eye(len(self.parents), dtype=np.bool_)
            for node, parent in enumerate(self.parents[1:], 1):
                self._lineage[node] |= self._lineage[parent]
        return self._lineage


def visibility(tree: Tree, suffix: int) -> NDArray[np.bool_]:
    """Return which of a row's tokens the last `suffix` ones see, bool ``[suffix, L]``.

    A token sees what comes before it in the row and belongs to its own node or to one above that.
    """
    first = len(tree) - suffix
    seeing, row = np.unique(tree.nodes_L[first:], return_inverse=True)  # each node's columns are looked up once
    seen: NDArray[np.bool_] = tree.lineage()[seeing].take(tree.nodes_L, axis=1).take(row, axis=0)
    seen &= np.tri(suffix, len(tree), first, dtype=np.bool_)
    return seen


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


def forward_hidden(model: nn.Module, rows: PackedRows, cache: Any = None) -> Tensor:
    """Return hidden states before the vocabulary head, ``[B, L, D]``; a cache that is given takes keys and values."""
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
