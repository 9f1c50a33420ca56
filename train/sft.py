"""Supervised fine-tuning: next-token loss on the answers, all answers of a video in one forward pass."""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch.nn import functional as F

from timeground.errors import UserError
from timeground.models.loading import Loaded

from .config import ModelSettings, Phase, SftSettings
from .config.recipe import AnySettings
from .data.batches import Batch, made_ahead, pack
from .data.render import Encoder
from .data.sources import Source, make_source
from .frame_head import frame_loss, head_of
from .model import PackedModel, compile_layers, shown_in
from .runtime import memory
from .runtime.distributed import gradient_norm, sum_over_ranks, world_size
from .runtime.journal import Journal
from .runtime.run import Going, Run, set_up
from .validate import Validation


class SftModel(PackedModel):
    """A model whose forward is the loss of a batch, or a batch's part of the loss of an update."""

    def __init__(self, loaded: Loaded, settings: ModelSettings, autocast: bool = False) -> None:
        super().__init__(loaded, settings, autocast)
        self.head_weight = settings.frame_head
        self.frame_head = head_of(loaded) if settings.frame_head else None

    def forward(self, batch: Batch, divisor: float | None = None) -> torch.Tensor:
        """Negative log-likelihood of the answer tokens, each counted by its weight, over `divisor`.

        divisor: the weights of the whole update (see `total_weight`); by default those of this batch. The loss of a
        text-to-frame head is added by its weight, as if each answer token had its mean.
        """
        with self.amp():
            features = self.features(shown_in(batch)) if self.frame_head is not None else None
        logits = self.answer_logits(batch, features)
        weights = batch.weights_N.to(logits.device)
        losses = F.cross_entropy(logits, batch.targets_N.to(logits.device), reduction="none")
        total = weights.sum() if divisor is None else divisor
        loss = (losses * weights).sum() / total
        if self.frame_head is not None and features is not None:
            found = frame_loss(self.frame_head, self, batch, features)
            loss = loss + self.head_weight * found * weights.sum() / total
        return loss


def check(settings: SftSettings) -> None:
    """Raise UserError for what only shows when the parts of a recipe are made."""
    compiler = os.environ.get("CXX", "g++")
    if settings.compile and not torch.cuda.is_available() and shutil.which(compiler) is None:
        raise UserError(f"compile: there is no C++ compiler ({compiler}); install one, or set compile to false")


def set_up_run(phase: Phase, going: Going | None, start: str) -> Run:
    """Return a phase as it stands. going: how it goes on; None if it does not."""
    return set_up(phase, lambda loaded: _model_of(loaded, phase.settings), going, start)


def _model_of(loaded: Loaded, settings: AnySettings) -> SftModel:
    """Return the model in training, its layers compiled where the recipe asks for it."""
    assert isinstance(settings, SftSettings)
    if settings.compile:
        compile_layers(loaded.model)
    return SftModel(loaded, settings.model, settings.engine.precision == "autocast")


def batches_of(run: Run) -> Iterator[Batch]:
    """Yield the micro-batches of the steps that are still to do."""
    settings = run.settings
    assert isinstance(settings, SftSettings)
    checkpoint, size = run.loaded.checkpoint, settings.videos_per_micro_batch
    finds_frames = settings.model.frame_head > 0
    encoder = Encoder(checkpoint.builder, checkpoint.family, checkpoint.profile, settings.loss_reduction, finds_frames)
    source = make_source(settings.data, checkpoint.sampling, size, settings.seed, run.output, run.left_out)
    per_step = settings.micro_batches * run.world
    numbers = range(run.done * per_step + run.rank, settings.steps * per_step, run.world)
    make = partial(make_batch, source, encoder, run.visual_ids)
    return made_ahead(make, numbers, settings.data.num_workers, settings.micro_batches)


def make_batch(source: Source, encoder: Encoder, visual_ids: tuple[int, int], number: int) -> Batch:
    """Return the number-th micro-batch of a source."""
    return pack([example for made in source.made(number, encoder.supervised) for example in made], visual_ids)


def total_weight(batches: Sequence[Batch], device: torch.device) -> float:
    """Return what the answer tokens of an update weigh together, over its micro-batches and all processes."""
    own = sum(float(batch.weights_N.double().sum()) for batch in batches)
    return float(sum_over_ranks(torch.tensor(own, dtype=torch.float64, device=device)))


def update(engine: Any, batches: Sequence[Batch]) -> tuple[float, float]:
    """Take one step of the optimizer: return its loss over all micro-batches and processes, and its gradient's norm.

    The loss is divided once, by the weight of the whole update, so that it does not matter how the clips of an update
    are split into micro-batches and over processes (Hugging Face, "Fixing gradient accumulation", 2024).
    """
    divisor, norm = total_weight(batches, engine.device), None
    share = world_size() * len(batches)  # the engine takes means over processes and micro-batches
    losses = []
    for batch in batches:
        loss = engine(batch, divisor)
        engine.backward(loss * share)
        norm = gradient_norm(engine)
        engine.step()
        losses.append(loss.detach())
    whole = float(sum_over_ranks(torch.stack(losses).sum()))
    return whole, float(norm or engine.get_global_grad_norm() or 0.0)


def train(run: Run, journal: Journal) -> dict[str, Any]:
    """Train to the last step of a phase; return what the next one is to know."""
    settings, engine, made = run.settings, run.engine, batches_of(run)
    validation = Validation(run)
    validation.catch_up(journal)
    for step in range(run.done + 1, settings.steps + 1):
        lr = run.set_lr(step)
        asked = time.perf_counter()
        batches = [next(made) for _ in range(settings.micro_batches)]
        waited_s = time.perf_counter() - asked
        loss, norm = update(engine, batches)
        if not math.isfinite(loss):
            raise UserError(
                f"the loss of step {run.number(step)} is {loss}; lower optimizer.lr or look at the rows of this step"
            )
        tokens = sum(batch.num_tokens for batch in batches)
        timings = {"waited_for_data_s": round(waited_s, 4), "peak_memory_mb": memory.peak_memory_mb()}
        journal.step(step, {"loss": loss, "grad_norm": norm, "lr": lr, "tokens": tokens}, timings)
        validation.save_and_validate(step, journal, {})
    return {"best": validation.best}
