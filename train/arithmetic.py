"""What a machine multiplies fast: bfloat16 where its processor has instructions for it, else float32.

Without them PyTorch multiplies bfloat16 number by number, about a hundred times slower than float32.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor

from timeground.models.local.linear import linear


@cache
def multiplies_bfloat16(device_type: str) -> bool:
    """Return whether a device multiplies bfloat16 fast: a GPU, or a CPU with AVX512."""
    return device_type != "cpu" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


class Muon(torch.optim.Muon):
    """Muon whose orthogonalization is in float32 where the device multiplies bfloat16 slowly; PyTorch's never is."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Take a step."""
        module: Any = torch.optim._muon
        theirs = module._zeropower_via_newtonschulz

        def fast(grad: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Any:
            how = theirs if multiplies_bfloat16(grad.device.type) else orthogonalized
            return how(grad, coefficients, steps, eps)

        module._zeropower_via_newtonschulz = fast
        try:
            return super().step(closure)  # type: ignore[no-untyped-call]
        finally:
            module._zeropower_via_newtonschulz = theirs


def orthogonalized(grad: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Tensor:
    """Return a matrix of the same singular vectors, with singular values near 1 (Newton-Schulz, Jordan et al. 2024)."""
    a, b, c = coefficients
    is_tall = grad.shape[0] > grad.shape[1]
    found = (grad.T if is_tall else grad).float().contiguous()
    found = found / found.norm().clamp(min=eps)
    for _ in range(steps):
        gram = linear(found, found)
        update = b * gram + c * linear(gram, gram)  # a Gram matrix is its own transpose
        found = a * found + linear(update, found.T)
    result: Tensor = found.T if is_tall else found
    return result
