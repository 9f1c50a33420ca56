"""One attention call for all our layouts, written out where PyTorch's fused kernel is slow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

BLOCK = 128
"""Queries that are attended to at once where attention is written out: fewer leave out more of what is not seen."""
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
        done: Tensor = written_out(query, key, value, mask, causal, scale or query.shape[-1] ** -0.5)
        return done
    if mask is None:
        return F.scaled_dot_product_attention(query, key, value, is_causal=causal, scale=scale, enable_gqa=groups > 1)
    if kernels_share_keys(query.device.type):
        return F.scaled_dot_product_attention(query, key, value, mask, scale=scale, enable_gqa=groups > 1)
    key, value = _repeated(key, groups), _repeated(value, groups)
    return F.scaled_dot_product_attention(query, key, value, mask, scale=scale)


def kernels_share_keys(device_type: str) -> bool:
    """Return whether kernels take keys that several heads share together with a mask; those of GPUs do not."""
    return device_type == "cpu"


def _is_faster_written_out(query: Tensor, key: Tensor) -> bool:
    """Return whether this is bfloat16 on a CPU: there the fused kernel takes 2 to 7 times as long."""
    batch, heads, length, _ = query.shape
    scores = batch * heads * length * key.shape[2]
    return query.device.type == "cpu" and query.dtype == torch.bfloat16 and scores <= LARGEST_SCORES


class WrittenOut(torch.autograd.Function):
    """Attention as two products and a softmax, a block of queries at a time, over the keys that any of it sees.

    Heads that share keys are stacked as rows. Shape legend: N batch x key heads, R rows of a block, K keys that it
    sees, D head size.
    """

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, causal: bool, scale: float
    ) -> Tensor:
        """Return the attention of ``[B, H, L, D]`` queries, as `attend` does."""
        stacked, keys_NKD, values_NKD = _stacked(query * scale, key), key.flatten(0, 1), value.flatten(0, 1)
        out, blocks = torch.empty_like(stacked), []
        heads = stacked.shape[1]
        for rows, columns, hidden in _blocks(query, key.shape[2], mask, causal):
            scores_NRK = stacked[:, :, rows].flatten(1, 2) @ _taken(keys_NKD, columns).transpose(1, 2)
            if hidden is not None:
                scores_NRK.view(len(hidden), -1, heads, *hidden.shape[1:]).add_(hidden[:, None, None])
            weights_NRK = scores_NRK.softmax(-1)
            out[:, :, rows] = _by_head(weights_NRK @ _taken(values_NKD, columns), heads)
            blocks.append((rows, columns, weights_NRK))
        ctx.save_for_backward(stacked, keys_NKD, values_NKD, *(weights for *_, weights in blocks))
        ctx.blocks, ctx.shape, ctx.scale = [block[:2] for block in blocks], key.shape, scale
        return out.view_as(query)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of queries, keys and values; those of keys are summed over blocks in float32."""
        stacked, keys_NKD, values_NKD, *kept = ctx.saved_tensors
        grad, heads = grads[0].reshape(stacked.shape), stacked.shape[1]
        grad_query = torch.empty_like(stacked)
        grad_keys, grad_values = (torch.zeros(keys_NKD.shape, dtype=torch.float32) for _ in range(2))
        for (rows, columns), weights_NRK in zip(ctx.blocks, kept, strict=True):
            grad_NRD = grad[:, :, rows].flatten(1, 2)
            _put(grad_values, columns, weights_NRK.transpose(1, 2) @ grad_NRD)
            grad_weights_NRK = grad_NRD @ _taken(values_NKD, columns).transpose(1, 2)
            grad_scores_NRK = torch._softmax_backward_data(grad_weights_NRK, weights_NRK, -1, weights_NRK.dtype)
            grad_query[:, :, rows] = _by_head(grad_scores_NRK @ _taken(keys_NKD, columns), heads)
            _put(grad_keys, columns, grad_scores_NRK.transpose(1, 2) @ stacked[:, :, rows].flatten(1, 2))
        as_given = (g.to(stacked.dtype).view(ctx.shape) for g in (grad_keys, grad_values))
        return (grad_query.view_as(grads[0]) * ctx.scale, *as_given, None, None, None)


written_out: Callable[..., Tensor] = torch.compiler.disable(WrittenOut.apply)  # type: ignore[no-untyped-call]  # its blocks are not for a compiler


def _stacked(query: Tensor, key: Tensor) -> Tensor:
    """Return ``[B, H, L, D]`` queries as ``[N, heads that share keys, L, D]``."""
    batch, heads, length, size = query.shape
    return query.reshape(batch * key.shape[1], heads // key.shape[1], length, size)


def _by_head(tensor: Tensor, heads: int) -> Tensor:
    """Return ``[N, heads x R, D]`` as ``[N, heads, R, D]``."""
    return tensor.view(tensor.shape[0], heads, -1, tensor.shape[2])


def _blocks(
    query: Tensor, num_keys: int, mask: Tensor | None, causal: bool
) -> Iterator[tuple[slice, list[slice], Tensor | None]]:
    """Yield blocks of queries, the stretches of keys that any of a block sees, and what hides others from some.

    What hides is ``[B or 1, R, K]``: 0, or minus infinity.
    """
    length = query.shape[2]
    if mask is None and not causal:
        yield slice(0, length), [slice(0, num_keys)], None
        return
    for first in range(0, length, BLOCK):
        rows = slice(first, min(first + BLOCK, length))
        if mask is None:
            columns = [slice(0, rows.stop)]
            seen = torch.ones(rows.stop - first, rows.stop, dtype=torch.bool).tril(first)[None]
        else:
            columns = _stretches(mask[:, 0, rows].flatten(0, 1).any(0).nonzero()[:, 0].tolist())
            seen = _taken(mask[:, 0, rows], columns, dim=2)
        yield rows, columns, torch.zeros(seen.shape, dtype=query.dtype).masked_fill_(~seen, -torch.inf)


def _stretches(columns: list[int]) -> list[slice]:
    """Return one or two stretches that hold all columns: a prefix is seen, and what is close before a query."""
    gaps = [after - before for before, after in pairwise(columns)]
    widest = max(range(len(gaps)), key=gaps.__getitem__, default=None)
    if widest is None or gaps[widest] == 1:
        return [slice(columns[0], columns[-1] + 1)]
    return [slice(columns[0], columns[widest] + 1), slice(columns[widest + 1], columns[-1] + 1)]


def _taken(tensor: Tensor, stretches: list[slice], dim: int = 1) -> Tensor:
    """Return stretches of a dimension, side by side."""
    parts = [tensor.narrow(dim, some.start, some.stop - some.start) for some in stretches]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim)


def _put(total_NKD: Tensor, stretches: list[slice], values_NKD: Tensor) -> None:
    """Add values to stretches of keys."""
    at = 0
    for some in stretches:
        total_NKD[:, some] += values_NKD[:, at : at + some.stop - some.start]
        at += some.stop - some.start


def _repeated(tensor: Tensor, groups: int) -> Tensor:
    return tensor.repeat_interleave(groups, dim=1) if groups > 1 else tensor
