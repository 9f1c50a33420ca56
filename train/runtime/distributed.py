"""DeepSpeed set-up, and what all processes of a run do together.

Launched by the `deepspeed` or `torchrun` or `accelerate` launcher, or as a plain process of one.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from timeground.quiet import quietly

from ..config import EngineSettings, OptimizerSettings
from ..optimizers import make_optimizer


def init_distributed() -> tuple[int, int]:
    """Join the process group (nccl on GPUs, gloo on CPUs) and return (rank, world size)."""
    if "RANK" not in os.environ:
        os.environ.update(RANK="0", WORLD_SIZE="1", LOCAL_RANK="0", MASTER_ADDR="127.0.0.1")
        os.environ["MASTER_PORT"] = str(_free_port())
    with quietly():
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
    """Return a DeepSpeed engine around a model whose forward returns the loss."""
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


def sum_over_ranks(value: torch.Tensor) -> torch.Tensor:
    """Return the sum of a tensor over all processes."""
    if world_size() > 1:
        value = value.clone()
        torch.distributed.all_reduce(value)
    return value


def largest_over_ranks(value: torch.Tensor) -> torch.Tensor:
    """Return the largest of all processes' values."""
    if world_size() > 1:
        torch.distributed.all_reduce(value := value.clone(), torch.distributed.ReduceOp.MAX)
    return value


def world_size() -> int:
    """Return number of processes."""
    return int(os.environ["WORLD_SIZE"])


def shard_frozen(model: nn.Module, settings: EngineSettings) -> Any:
    """Return a model that is never trained, sharded over the processes where the trained one is."""
    if settings.zero_stage < 3:
        return model
    import deepspeed

    config = {
        "train_micro_batch_size_per_gpu": 1,
        "bf16": {"enabled": settings.precision == "bfloat16"},
        "zero_optimization": _zero(settings.model_copy(update={"offload_optimizer": False})),
    }
    return deepspeed.initialize(model=model, config=config, dist_init_required=False)[0].eval()


def gradient_norm(engine: Any) -> float | None:
    """Return the gradient's norm before clipping, once accumulated; ZeRO and bfloat16 engines keep their own."""
    if not engine.is_gradient_accumulation_boundary() or engine.zero_optimization() or engine.bfloat16_enabled():
        return None
    gradients = [p.grad for p in engine.module.parameters() if p.grad is not None]
    return float(torch.nn.utils.get_total_norm(gradients))


def has_frozen(engine: Any) -> bool:
    """Return whether some parameters are not trained."""
    return any(not p.requires_grad for p in engine.module.parameters())


def on_first_rank(call: Callable[[], None]) -> None:
    """Run something on rank 0 while the others wait."""
    if is_first():
        call()
    barrier()


def is_first() -> bool:
    """Return whether this is the process that writes."""
    return int(os.environ.get("RANK", "0")) == 0


def barrier() -> None:
    """Wait for all processes."""
    if torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1:
        torch.distributed.barrier()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
