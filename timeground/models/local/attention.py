"""One attention call for all our layouts, written out where PyTorch's fused kernel is slow."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

LARGEST_SCORES = 1 << 27
"""Scores (batch x heads x queries x keys) up to which they are held in memory all at once on a CPU."""


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    *,
    causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Return the attention of ``[B, H, L, D]`` queries over ``[B, H or fewer, K, D]`` keys and values.

    mask: bool, broadcast to ``[B, H, L, K]``. Under bfloat16 autocast the inputs are cast to it.
    """
    if torch.is_autocast_enabled(query.device.type):
        dtype = torch.get_autocast_dtype(query.device.type)
        query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
    groups = query.shape[1] // key.shape[1]
    if _is_faster_written_out(query, key):
        return _written_out(query, _repeated(key, groups), _repeated(value, groups), mask, causal, scale)
    if mask is None:
        return F.scaled_dot_product_attention(query, key, value, is_causal=causal, scale=scale, enable_gqa=groups > 1)
    key, value = _repeated(key, groups), _repeated(value, groups)
    return F.scaled_dot_product_attention(query, key, value, mask, scale=scale)


def _is_faster_written_out(query: Tensor, key: Tensor) -> bool:
    """Return whether this is bfloat16 on a CPU: there the fused kernel takes 2 to 7 times as long."""
    batch, heads, length, _ = query.shape
    scores = batch * heads * length * key.shape[2]
    return query.device.type == "cpu" and query.dtype == torch.bfloat16 and scores <= LARGEST_SCORES


def _written_out(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, causal: bool, scale: float | None
) -> Tensor:
    with torch.autocast(query.device.type, enabled=False):
        scores = (query * (scale or query.shape[-1] ** -0.5)) @ key.transpose(-1, -2)
        if causal:
            length, keys = scores.shape[-2:]
            mask = torch.ones(length, keys, dtype=torch.bool, device=query.device).tril()
        if mask is not None:
            hidden = torch.zeros(mask.shape, dtype=scores.dtype, device=scores.device)
            scores = scores + hidden.masked_fill_(~mask, -torch.inf)
        return scores.softmax(-1) @ value


def _repeated(tensor: Tensor, groups: int) -> Tensor:
    return tensor.repeat_interleave(groups, dim=1) if groups > 1 else tensor
