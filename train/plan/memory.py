"""What weights, gradients and the optimizer take on each GPU: arithmetic of DeepSpeed's ZeRO stages.

The rules were found with DeepSpeed 0.19 in two processes, by listing every live tensor after each call; a test
compares them with an engine's own tensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import nn

from ..config import EngineSettings, OptimizerSettings, RunSettings
from ..optimizers import is_hidden_matrix

Phase = Literal["rollout", "update", "step"]
ALWAYS: tuple[Phase, ...] = ("rollout", "update", "step")
BUCKET = 500_000_000  # DeepSpeed's reduce_bucket_size, in numbers
LIVE = 1_000_000_000  # its stage3_max_live_parameters and sub_group_size


@dataclass(frozen=True)
class Item:
    """Something that takes memory, in bytes."""

    name: str
    gpu: int = 0
    host: int = 0
    phases: tuple[Phase, ...] = ALWAYS
    """Sampling, forward and backward, the step of the optimizer."""


@dataclass(frozen=True)
class Sizes:
    """Numbers (not bytes) of a model: all parameters, those trained, the largest of them, and Muon's matrices."""

    parameters: int
    trained: int
    largest: int
    hidden: int

    @classmethod
    def of(cls, model: nn.Module) -> Sizes:
        """Return the sizes of a model, shared parameters counted once."""
        trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        hidden = sum(p.numel() for name, p in trained.items() if is_hidden_matrix(name, p))
        counts = [p.numel() for p in trained.values()]
        return cls(sum(p.numel() for p in model.parameters()), sum(counts), max(counts, default=0), hidden)


def held(sizes: Sizes, settings: RunSettings, processes: int) -> list[Item]:
    """Return what one process holds of weights, gradients and optimizer, and what ZeRO needs beside them."""
    engine = settings.engine
    width = 2 if engine.precision == "bfloat16" else 4
    on_host = engine.zero_stage == 3 and engine.offload_parameters
    weights = sizes.parameters * width // (processes if engine.zero_stage == 3 else 1)
    items = [_placed(f"weights, {width} bytes each", weights, on_host)]
    if settings.copies_the_model:
        items.append(_placed("weights of the reference, for loss.kl", weights, on_host))
    items.append(_gradients(sizes, engine, width, processes))
    items += _optimizer(sizes, settings.optimizer, engine, width, processes)
    return items + _communication(sizes, settings, width)


def _gradients(sizes: Sizes, engine: EngineSettings, width: int, processes: int) -> Item:
    """Return the gradients: whole up to stage 1, where they add up before they are shared out, a part after that."""
    whole, name = sizes.trained * width, f"gradients, {width} bytes each"
    if engine.zero_stage < 2:
        return Item(name, gpu=whole, phases=("update", "step") if engine.zero_stage == 0 else ("update",))
    if engine.offload_optimizer:
        return Item(name, host=whole // processes)
    return Item(name, gpu=whole // processes, phases=ALWAYS if engine.zero_stage == 3 else ("update", "step"))


def _optimizer(
    sizes: Sizes, optimizer: OptimizerSettings, engine: EngineSettings, width: int, processes: int
) -> list[Item]:
    """Return moments in float32 (Muon has one for its matrices), and DeepSpeed's float32 copy of the weights."""
    stage = engine.zero_stage
    shards, offload = (processes if stage else 1), engine.offload_optimizer and stage > 0
    part = sizes.trained // shards
    moments = (8 * sizes.trained - (4 * sizes.hidden if optimizer.name == "muon" else 0)) // shards
    items = [_placed(f"moments of {optimizer.name}, float32", moments, offload)]
    if not stage and width == 4:
        return items
    items.append(_placed("copy of the trained weights, float32", 4 * part, offload))
    if offload:
        items.append(Item("gradients and weights on their way", host=(4 + (0 if stage == 3 else width)) * part))
        return items
    # Gradients in float32; torch's AdamW needs as much again, but not in its fused form, which stage 0 takes.
    each = 4 + (4 if stage else 0) + (width if stage == 1 else 0)
    return [
        *items,
        Item("gradients in float32, temporaries", each * (min(part, LIVE) if stage == 3 else part), 0, ("step",)),
    ]


def _communication(sizes: Sizes, settings: RunSettings, width: int) -> list[Item]:
    """Return DeepSpeed's buckets, of fixed size for any model, and under stage 3 the weights it gathers for a while."""
    stage = settings.engine.zero_stage
    if not stage:
        return []
    if stage < 3:
        items = [Item("communication buckets", gpu=2 * BUCKET * width, phases=("update",))]
        if settings.engine.offload_optimizer:
            items.append(Item("largest gradient on its way", gpu=sizes.largest * width, host=sizes.largest * width))
        return items
    gathered = min(LIVE, sizes.parameters) * width
    items = [
        Item("communication buckets", gpu=BUCKET * width),
        Item("weights gathered for the layers at work", gpu=gathered, phases=("update",)),
    ]
    if settings.samples_answers or settings.validate_every:
        items.append(Item("all weights, gathered to sample", gpu=sizes.parameters * width, phases=("rollout",)))
    return items


def _placed(name: str, size: int, on_host: bool) -> Item:
    return Item(name, host=size) if on_host else Item(name, gpu=size)
