"""What a run says when it begins, on one screen: model, rows, steps, memory, where it writes."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from timeground.progress import size

from .arithmetic import multiplies_bfloat16
from .config import Phase, Recipe, RunSettings
from .data.inventory import Looked
from .plan.memory import Sizes, held

MOST_LINES = 15


def at_start(
    recipe: Recipe, seen: Sequence[tuple[Phase, Looked | None]], remarks: Sequence[str], processes: int
) -> str:
    """Return the lines. seen: each phase with what was found of its data; None for one that is over."""
    first, output = recipe.settings, recipe.output
    model = first.model.init or f"new, {first.model.shape}"
    lines = [f"model    {model}{_adapted(first)}"]
    for phase, looked in seen:
        name = f"{phase.name}: " if phase.name else ""
        lines.append(f"rows     {name}{_rows(phase.settings, looked)}")
        lines.append(f"steps    {name}{_steps(phase.settings, processes)}")
    free = shutil.disk_usage(next(p for p in (output, *output.parents, Path()) if p.exists())).free
    writes = "settings.yaml, metrics.jsonl, checkpoints/, model/ at the end"
    lines.append(f"writes   {output}: {writes} ({size(free)} free)")
    room = MOST_LINES - 1 - len(lines)  # one line is the memory's, once the model is there
    told = list(remarks)
    if len(told) > room:
        told = [*told[: max(0, room - 1)], "more remarks: timeground train check lists all"]
    return "\n".join([*lines, *told][: MOST_LINES - 1])


def memory_line(settings: RunSettings, sizes: Sizes, processes: int) -> str:
    """Return what each process holds; what is computed on the way comes on top of it."""
    items = held(sizes, settings, processes)
    gpu, host = sum(item.gpu for item in items), sum(item.host for item in items)
    beside = f", and {size(host)} of the machine's" if host else ""
    trained = f"{sizes.trained:,} of {sizes.parameters:,} parameters are trained"
    return f"memory   {size(gpu)} for weights, gradients and optimizer{beside}; {trained} (train check: the peak)"


def _adapted(settings: RunSettings) -> str:
    model = settings.model
    words = [f"LoRA of rank {model.lora.rank}"] if model.lora else ["all weights"]
    words += [f"{model.frozen} frozen"] if model.frozen != "none" else []
    return f" ({', '.join(words)}; {_precision(settings.engine.precision)})"


def _precision(wanted: str) -> str:
    """Return the arithmetic in words; on a CPU that multiplies bfloat16 slowly, what is done about it."""
    if wanted == "float32" or torch.cuda.is_available() or multiplies_bfloat16("cpu"):
        return wanted
    slow = "this CPU multiplies bfloat16 some hundred times slower than float32"
    return f"float32, for {slow}" if wanted == "autocast" else f"{wanted}; {slow}: take engine.precision=float32"


def _rows(settings: RunSettings, looked: Looked | None) -> str:
    if looked is None:
        return "this phase is over"
    if settings.data.synth_seed is not None:
        rows = "rendered as it goes (SynthMoments)"
    else:
        assert looked.training is not None
        part = looked.training
        used, videos = len(part.rows) - len(looked.left_out), len({row.video for row in part.rows})
        rows = f"{used:,} of {videos:,} videos, {part.name}"
    return f"{rows}; validated on {len(looked.validation.rows):,}" if looked.validation else rows


def _steps(settings: RunSettings, processes: int) -> str:
    clips = settings.micro_batches * settings.videos_per_micro_batch
    shared = f" x {processes} processes" if processes > 1 else ""
    answers = f", {settings.group_size} answers a question" if settings.samples_answers else ""
    optimizer = settings.optimizer
    return f"{settings.steps:,} of {clips} clips{shared}{answers}; rate {optimizer.lr:g}, {optimizer.schedule}"
