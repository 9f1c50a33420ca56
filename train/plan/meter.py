"""Runs model code on tensors without numbers (torch's meta device) and counts the bytes that it would hold."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Meter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Bytes of the tensors made inside: `now` those still alive, `peak` the most at any moment.

    Tensors that were there before are not counted, and neither are a kernel's own work space and what an allocator
    wastes. It counts real tensors just as well, which is how it is tested.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation, and note the memory of what it made."""
        given = {_address(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor) and _address(leaf) not in given:
                self._note(leaf.untyped_storage())
        return result

    def _note(self, storage: torch.UntypedStorage) -> None:
        address, size = storage._cdata, storage.nbytes()
        if address in self._known:
            return
        self._known.add(address)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, address, size).atexit = False

    def _forget(self, address: int, size: int) -> None:
        self._known.discard(address)
        self.now -= size


@contextmanager
def fused_attention() -> Iterator[None]:
    """Have attention hold what fused kernels (flash) hold: on meta tensors torch would write out all scores."""

    def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, **_: Any) -> Any:
        return _FusedKernel.apply(query, key, value, mask)  # type: ignore[no-untyped-call]

    with (
        mock.patch.object(F, "scaled_dot_product_attention", attention),
        mock.patch.object(torch, "is_autocast_enabled", lambda *_: False),  # torch raises when asked of meta tensors
    ):
        yield


class _FusedKernel(torch.autograd.Function):
    """What a flash kernel keeps for its backward pass: its inputs, its output, and one number a query and head."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        out = torch.empty_like(query)
        sums = torch.empty(query.shape[:-1], dtype=torch.float32, device=query.device)
        bias = None if mask is None else mask.to(query.dtype)  # kernels take a mask as numbers to add
        ctx.save_for_backward(query, key, value, out, sums, bias)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, *_ = ctx.saved_tensors
        return torch.empty_like(query), torch.empty_like(key), torch.empty_like(value), None


def _address(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
