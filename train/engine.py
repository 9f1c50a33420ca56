"""DeepSpeed set-up, and what all processes of a run do together.

Launched by the `deepspeed` or `torchrun` or `accelerate` launcher, or as a plain process of one.
"""

from __future__ import annotations

import ctypes
import math
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from .config import EngineSettings, OptimizerSettings
from .optimizers import make_optimizer


def init_distributed() -> tuple[int, int]:
    """Join the process group (nccl on GPUs, gloo on CPUs) and return (rank, world size)."""
    if "RANK" not in os.environ:
        os.environ.update(RANK="0", WORLD_SIZE="1", LOCAL_RANK="0", MASTER_ADDR="127.0.0.1")
        os.environ["MASTER_PORT"] = str(_free_port())
    import deepspeed
    from deepspeed.ops import __compatible_ops__

    if not torch.cuda.is_available():
        __compatible_ops__["deepspeed_shm_comm"] = False  # else the first run compiles C++ for a minute
    deepspeed.init_distributed(dist_backend="nccl" if torch.cuda.is_available() else "gloo", verbose=False)
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


def leave_distributed() -> None:
    """Leave the process group; all processes call it when their work is done.

    A process that ends inside its group may abort while its threads still hold tensors (PyTorch issue 190489).
    """
    import deepspeed

    if deepspeed.comm.is_initialized():
        deepspeed.comm.barrier()
        deepspeed.comm.destroy_process_group()


def make_engine(
    model: nn.Module,
    optimizer: OptimizerSettings,
    engine: EngineSettings,
    micro_batches: int,
    batch_size: int,
) -> Any:
    """A DeepSpeed engine around a model whose forward returns the loss."""
    import deepspeed

    config = {
        "train_micro_batch_size_per_gpu": batch_size,
        "gradient_accumulation_steps": micro_batches,
        "gradient_clipping": optimizer.max_grad_norm,
        "bf16": {"enabled": engine.precision == "bfloat16"},
        "zero_optimization": _zero(engine),
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 10**9,
        "wall_clock_breakdown": False,
    }
    made, *_ = deepspeed.initialize(
        model=model, optimizer=make_optimizer(model, optimizer, engine), config=config, dist_init_required=False
    )
    return made


def _zero(engine: EngineSettings) -> dict[str, Any]:
    zero: dict[str, Any] = {"stage": engine.zero_stage}
    if engine.zero_stage:
        zero.update(overlap_comm=torch.cuda.is_available(), contiguous_gradients=True)
    if engine.zero_stage == 3:
        zero["stage3_gather_16bit_weights_on_model_save"] = True
    if engine.offload_optimizer:
        zero["offload_optimizer"] = {"device": "cpu"}
    if engine.offload_parameters:
        zero["offload_param"] = {"device": "cpu"}
    return zero


def learning_rate(settings: OptimizerSettings, step: int, steps: int) -> float:
    """The rate of a step (from 1): warm-up, then constant or down to ``lr * final_lr_ratio``, never to 0."""
    if step <= settings.warmup_steps:
        return settings.lr * step / settings.warmup_steps
    decay_steps = settings.decay_steps or max(1, steps - settings.warmup_steps)
    if settings.schedule == "constant" or step <= steps - decay_steps:
        return settings.lr
    later = int(settings.final_lr_ratio == 0)  # 0 is reached after the last step: at 0 it would learn nothing
    left = (steps + later - step) / (decay_steps + later)
    share = left if settings.schedule == "linear" else 0.5 * (1 - math.cos(math.pi * left))
    return settings.lr * (settings.final_lr_ratio + (1 - settings.final_lr_ratio) * share)


def sum_over_ranks(value: torch.Tensor) -> torch.Tensor:
    """The sum of a tensor over all processes."""
    if world_size() > 1:
        value = value.clone()
        torch.distributed.all_reduce(value)
    return value


def world_size() -> int:
    """Number of processes."""
    return int(os.environ["WORLD_SIZE"])


def shard_frozen(model: nn.Module, settings: EngineSettings) -> Any:
    """A model that is never trained, sharded over the processes where the trained one is."""
    if settings.zero_stage < 3:
        return model
    import deepspeed

    config = {
        "train_micro_batch_size_per_gpu": 1,
        "bf16": {"enabled": settings.precision == "bfloat16"},
        "zero_optimization": _zero(settings.model_copy(update={"offload_optimizer": False})),
    }
    return deepspeed.initialize(model=model, config=config, dist_init_required=False)[0].eval()


def peak_memory_mb() -> int:
    """The most memory that this process has held, on its GPU where it has one."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() >> 20
    import resource

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


def gradient_norm(engine: Any) -> float | None:
    """The gradient's norm before clipping, at the end of an accumulation; ZeRO and bfloat16 engines keep their own."""
    if not engine.is_gradient_accumulation_boundary() or engine.zero_optimization() or engine.bfloat16_enabled():
        return None
    gradients = [p.grad for p in engine.module.parameters() if p.grad is not None]
    return float(torch.nn.utils.get_total_norm(gradients))


def has_frozen(engine: Any) -> bool:
    """Whether some parameters are not trained."""
    return any(not p.requires_grad for p in engine.module.parameters())


@contextmanager
def whole_weights(engine: Any) -> Iterator[None]:
    """All weights on every rank, for sampling: under ZeRO-3 they are gathered once, not in every forward.

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
    """All weights on the first rank (gathered under ZeRO-3), `strip` removed from their names; None elsewhere."""
    import deepspeed

    parameters = dict(engine.module.named_parameters())
    sharded = [p for p in parameters.values() if hasattr(p, "ds_id")]
    with deepspeed.zero.GatheredParameters(sharded, modifier_rank=None, enabled=bool(sharded)):
        if not is_first():
            return None
        return {name.removeprefix(strip): p.detach().cpu().clone() for name, p in engine.module.state_dict().items()}


def on_first_rank(call: Callable[[], None]) -> None:
    """Run something on rank 0 while the others wait."""
    if is_first():
        call()
    barrier()


def is_first() -> bool:
    """Whether this is the process that writes."""
    return int(os.environ.get("RANK", "0")) == 0


def barrier() -> None:
    """Wait for all processes."""
    if torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1:
        torch.distributed.barrier()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
