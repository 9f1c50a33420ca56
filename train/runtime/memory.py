"""Where memory goes: whole weights for a while, and what kernels and the allocator keep."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from .distributed import is_first


def peak_memory_mb() -> int:
    """Return the most memory that this process has held, on its GPU where it has one."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() >> 20
    try:
        import resource
    except ImportError:  # Windows has none
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def limit_kernel_cache() -> None:
    """Have PyTorch keep CPU kernels for 256 shapes, unless the environment says for how many.

    It keeps 1,024 of them and of their descriptions, 0.4 MB each; prompts and answers of many lengths fill that
    over the hours. 256 are enough for a step: `tiny-grpo` takes 420 MB less and no more time. It counts from the first
    kernel on.
    """
    for variable in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
        os.environ.setdefault(variable, "256")


def trim_memory() -> None:
    """Give freed memory back to the system: from clips of many lengths glibc keeps gigabytes over the hours."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


@contextmanager
def whole_weights(engine: Any) -> Iterator[None]:
    """Hold all weights on every rank, for sampling: under ZeRO-3 they are gathered once, not in every forward.

    Ranks may run different numbers of forwards inside.
    """
    if engine.zero_optimization_stage() < 3:
        yield
        return
    import deepspeed

    with deepspeed.zero.GatheredParameters(list(engine.module.parameters()), modifier_rank=None):
        hooks = engine.optimizer.parameter_offload
        _without_hooks(hooks, engine.module)
        try:
            yield
        finally:
            hooks._register_deepspeed_module(hooks.module)


def _without_hooks(offload: Any, module: nn.Module) -> None:
    """Take DeepSpeed's hooks off, which would gather and release weights layer by layer."""
    parameter: Any
    for parameter in module.parameters():
        parameter.ds_active_sub_modules.clear()
    for hook in (*offload.forward_hooks, *offload.backward_hooks):
        hook.remove()
    offload.forward_hooks, offload.backward_hooks = [], []


def full_state(engine: Any, strip: str) -> dict[str, torch.Tensor] | None:
    """Return all weights on the first rank (gathered under ZeRO-3), names without `strip`; None elsewhere."""
    import deepspeed

    parameters = dict(engine.module.named_parameters())
    sharded = [p for p in parameters.values() if hasattr(p, "ds_id")]
    with deepspeed.zero.GatheredParameters(sharded, modifier_rank=None, enabled=bool(sharded)):
        if not is_first():
            return None
        return {name.removeprefix(strip): p.detach().cpu().clone() for name, p in engine.module.state_dict().items()}
