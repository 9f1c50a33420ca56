"""Linear layers by oneDNN where PyTorch would take MKL's slow path: float32 on a CPU that is not Intel's.

There MKL keeps to narrow instructions, and oneDNN, which PyTorch has beside it but uses for bfloat16 alone, takes half
the time at any number of rows. Results differ by rounding.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def use_onednn(model: nn.Module) -> None:
    """Switch a model's linear layers to oneDNN, where it is the faster one on this machine."""
    if not onednn_is_faster():
        return
    for module in model.modules():
        if type(module) is nn.Linear:
            module.__class__ = OneDnnLinear


@cache
def onednn_is_faster() -> bool:
    """Return whether this is an x86 CPU of another maker than Intel, and PyTorch has both libraries."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return False
    makers = {line.partition(":")[2].strip() for line in lines if line.startswith("vendor_id")}
    has_both = torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return has_both and bool(makers) and "GenuineIntel" not in makers and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def linear(values: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``values @ weight.T + bias`` of ``[..., D]`` and ``[E, D]``, by the library that is faster at it."""
    if not _is_for_onednn(values, weight):
        return F.linear(values, weight, bias)
    if torch.is_grad_enabled():
        product: Tensor = _OneDnnProduct.apply(values, weight, bias)  # type: ignore[no-untyped-call]
        return product
    return _product(values, weight, bias)


class OneDnnLinear(nn.Linear):
    """A linear layer that takes oneDNN for what it is faster at."""

    def forward(self, input: Tensor) -> Tensor:
        """Return ``[..., E]`` of ``[..., D]``."""
        return linear(input, self.weight, self.bias)


class _OneDnnProduct(torch.autograd.Function):
    """``values @ weight.T + bias``, and its gradients."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(values, weight)
        return _product(values, weight, bias)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        values, weight = ctx.saved_tensors
        grad_NE, values_ND = grads[0].reshape(-1, weight.shape[0]), values.reshape(-1, weight.shape[1])
        of_values, of_weight, of_bias = ctx.needs_input_grad
        return (
            _product(grad_NE, weight.t()).view_as(values) if of_values else None,
            _product(grad_NE.t(), values_ND.t()) if of_weight else None,
            grad_NE.sum(0) if of_bias else None,
        )


def _product(values: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(values, weight, bias, "none", [], "")
    return product


def _is_for_onednn(values: Tensor, weight: Tensor) -> bool:
    if (
        torch.compiler.is_compiling()
    ):  # a compiler has kernels of its own; it is asked first, for it would trace the rest
        return False
    return (
        values.device.type == "cpu"
        and values.dtype == weight.dtype == torch.float32
        and onednn_is_faster()
        and not torch.is_autocast_enabled("cpu")
        and values.numel() > 0
        and not hasattr(weight, "ds_id")  # ZeRO 3 brings its weights by its own product
    )
