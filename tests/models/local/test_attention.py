"""Attention written out for bfloat16 on a CPU, against PyTorch's own in float32."""

import pytest
import torch
from torch.nn import functional as F

from timeground.models.local.attention import BLOCK, attend


def tensors(*shapes: tuple[int, ...]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(shape, generator=generator).bfloat16().requires_grad_() for shape in shapes]


def a_tree_like_mask(batch: int, length: int, keys: int) -> torch.Tensor:
    """A prefix that all see but for its end, and of the rest only what is close before."""
    mask = torch.zeros(batch, 1, length, keys, dtype=torch.bool)
    mask[..., : keys - length - 5] = True
    for row in range(length):
        mask[:, :, row, keys - length + max(0, row - 20) : keys - length + row + 1] = True
    mask[0, :, :, 3] = False
    return mask


@pytest.mark.parametrize("heads, groups", [(4, 2), (2, 2), (4, 1)])
@pytest.mark.parametrize("kind", ["whole", "causal", "tree", "one mask for all"])
def test_it_equals_pytorchs_with_gradients(kind: str, heads: int, groups: int) -> None:
    """Lengths lie on both sides of a block's; every key gets its gradient, seen in one block or in several."""
    length = 3 * BLOCK + 11 if kind == "causal" else 2 * BLOCK + 7
    keys = length if kind == "causal" else length + 150
    query, key, value, weight = tensors(
        (3, heads, length, 64), (3, groups, keys, 64), (3, groups, keys, 64), (3, heads, length, 64)
    )
    mask = {"tree": a_tree_like_mask(3, length, keys), "one mask for all": a_tree_like_mask(1, length, keys)}.get(kind)
    out = attend(query, key, value, mask, causal=kind == "causal")
    found = torch.autograd.grad((out * weight).sum(), (query, key, value))
    whole = [tensor.detach().float().requires_grad_() for tensor in (query, key, value)]
    repeated = [whole[0], *(tensor.repeat_interleave(heads // groups, dim=1) for tensor in whole[1:])]
    expected = F.scaled_dot_product_attention(*repeated, mask, is_causal=kind == "causal")
    wanted = torch.autograd.grad((expected * weight.float()).sum(), whole)
    for ours, theirs in zip((out, *found), (expected, *wanted), strict=True):
        assert ours.shape == theirs.shape
        assert (ours.float() - theirs).norm() <= 0.008 * theirs.norm()  # bfloat16 has 8 bits: 0.4 % a rounding
