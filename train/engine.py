"""DeepSpeed set-up and checkpoints that are complete or absent.

Launched by the `deepspeed` or `torchrun` or `accelerate` launcher, or as a plain process of one.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from timeground.errors import UserError

from .config import EngineSettings, OptimizerSettings

STEP_FOLDER = "step-{:08d}"
TAG = "state"


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


def make_engine(
    model: nn.Module,
    optimizer: OptimizerSettings,
    engine: EngineSettings,
    micro_batches: int,
    batch_size: int,
) -> Any:
    """A DeepSpeed engine around a model whose forward returns the loss."""
    import deepspeed

    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": optimizer.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    fused = torch.cuda.is_available() and engine.zero_stage == 0
    adamw = torch.optim.AdamW([g for g in groups if g["params"]], lr=optimizer.lr, betas=optimizer.betas, fused=fused)
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
    made, *_ = deepspeed.initialize(model=model, optimizer=adamw, config=config, dist_init_required=False)
    return made


def _zero(engine: EngineSettings) -> dict[str, Any]:
    zero: dict[str, Any] = {"stage": engine.zero_stage}
    if engine.zero_stage:
        zero.update(overlap_comm=torch.cuda.is_available(), contiguous_gradients=True)
    if engine.zero_stage == 3:
        zero["stage3_gather_16bit_weights_on_model_save"] = True
    if engine.offload_optimizer:
        zero["offload_optimizer"] = {"device": "cpu"}
    return zero


def gradient_norm(engine: Any) -> float | None:
    """The gradient's norm before clipping, at the end of an accumulation; ZeRO and bfloat16 engines keep their own."""
    if not engine.is_gradient_accumulation_boundary() or engine.zero_optimization() or engine.bfloat16_enabled():
        return None
    gradients = [p.grad for p in engine.module.parameters() if p.grad is not None]
    return float(torch.nn.utils.get_total_norm(gradients))


def save_checkpoint(engine: Any, output: Path, step: int, world: int, keep_last: int) -> None:
    """Write all ranks' state beside the others under a temporary name, then put it in place by one rename."""
    folder = output / "checkpoints"
    target, part = folder / STEP_FOLDER.format(step), folder / f".{STEP_FOLDER.format(step)}.part"
    if _is_first():
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        (part / "run.json").write_text(json.dumps({"step": step, "processes": world}))
    _barrier()
    engine.save_checkpoint(str(part), tag=TAG)
    _barrier()
    if _is_first():
        shutil.rmtree(target, ignore_errors=True)
        os.replace(part, target)
        for old in finished_checkpoints(output)[:-keep_last]:
            shutil.rmtree(old, ignore_errors=True)
    _barrier()


def finished_checkpoints(output: Path) -> list[Path]:
    """Complete checkpoints, oldest first."""
    return sorted((output / "checkpoints").glob("step-*"))


def resume(engine: Any, output: Path, world: int) -> int:
    """Load the newest checkpoint, if there is one, and return the number of steps done."""
    done = finished_checkpoints(output)
    if not done:
        return 0
    state = json.loads((done[-1] / "run.json").read_text())
    if state["processes"] != world:
        raise UserError(
            f"{output}: this run was started with {state['processes']} processes and cannot go on with {world}; "
            f"start it with --processes {state['processes']}, or choose another output folder"
        )
    # DeepSpeed unpickles its own optimizer state here: the run's own folder is trusted, nothing else is.
    path, _ = engine.load_checkpoint(str(done[-1]), tag=TAG)
    if path is None:
        raise UserError(f"{done[-1]}: cannot be read as a checkpoint; remove this folder to go on from the one before")
    return int(state["step"])


def full_state(engine: Any, strip: str) -> dict[str, torch.Tensor] | None:
    """All weights on the first rank (gathered under ZeRO-3), `strip` removed from their names; None elsewhere."""
    import deepspeed

    parameters = dict(engine.module.named_parameters())
    sharded = [p for p in parameters.values() if hasattr(p, "ds_id")]
    with deepspeed.zero.GatheredParameters(sharded, modifier_rank=None, enabled=bool(sharded)):
        if not _is_first():
            return None
        return {name.removeprefix(strip): p.detach().cpu().clone() for name, p in engine.module.state_dict().items()}


def on_first_rank(call: Callable[[], None]) -> None:
    """Run something on rank 0 while the others wait."""
    if _is_first():
        call()
    _barrier()


def _is_first() -> bool:
    return int(os.environ.get("RANK", "0")) == 0


def _barrier() -> None:
    if torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1:
        torch.distributed.barrier()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
