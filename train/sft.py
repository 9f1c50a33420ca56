"""Supervised fine-tuning: next-token loss on the answers, all answers of a video in one forward pass."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from timeground.errors import UserError
from timeground.files.folder_lock import only_run

from . import crashes
from . import engine as engines
from .batches import Batch, made_ahead, pack
from .config import SftSettings
from .examples import Encoder
from .journal import Journal
from .packed_model import PackedModel
from .session import ANEW, Going, Session, set_up
from .sources import REJECTED, Source, make_source
from .validate import Validation


class SftModel(PackedModel):
    """A model whose forward is the loss of a batch, or a batch's part of the loss of an update."""

    def forward(self, batch: Batch, divisor: float | None = None) -> torch.Tensor:
        """Negative log-likelihood of the answer tokens, each counted by its weight, over `divisor`.

        divisor: the weights of the whole update (see `total_weight`); by default those of this batch.
        """
        logits = self.answer_logits(batch)
        weights = batch.weights_N.to(logits.device)
        losses = F.cross_entropy(logits, batch.targets_N.to(logits.device), reduction="none")
        return (losses * weights).sum() / (weights.sum() if divisor is None else divisor)


def train(settings: SftSettings, going: Going = ANEW) -> None:
    """Run, or go on with, a supervised run; leaves checkpoints, metrics and the model in `settings.output`."""
    with only_run(Path(settings.output)):
        _train(settings, going)


def _train(settings: SftSettings, going: Going) -> None:
    session = set_up_run(settings, going)
    journal = Journal(session.output, session.done, settings.steps, session.rank == 0)
    try:
        with crashes.told(session.output / REJECTED):
            _run(session, settings, journal)
    finally:
        journal.close()
    session.export()


def set_up_run(settings: SftSettings, going: Going | None = ANEW) -> Session:
    """The run as it stands. going: how it goes on; None if it does not."""
    autocast = settings.engine.precision == "autocast"
    return set_up(settings, lambda loaded: SftModel(loaded, settings.model, autocast), going)


def _batches(session: Session, settings: SftSettings) -> Iterator[Batch]:
    family, profile = session.loaded.family, session.profile
    encoder = Encoder(session.loaded.builder(), family, profile, settings.loss_reduction)
    sampling, size = profile.sampling(family.factor), settings.videos_per_micro_batch
    source = make_source(settings.data, sampling, size, settings.seed, session.output, session.left_out)
    per_step = settings.micro_batches * session.world
    numbers = range(session.done * per_step + session.rank, settings.steps * per_step, session.world)
    make = partial(make_batch, source, encoder, session.visual_ids)
    return made_ahead(make, numbers, settings.data.num_workers, settings.micro_batches)


def make_batch(source: Source, encoder: Encoder, visual_ids: tuple[int, int], number: int) -> Batch:
    """The number-th micro-batch of a source."""
    return pack([example for made in source.made(number, encoder.supervised) for example in made], visual_ids)


def total_weight(batches: Sequence[Batch], device: torch.device) -> float:
    """What the answer tokens of an update weigh together, over its micro-batches and all processes."""
    own = sum(float(batch.weights_N.double().sum()) for batch in batches)
    return float(engines.sum_over_ranks(torch.tensor(own, dtype=torch.float64, device=device)))


def update(engine: Any, batches: Sequence[Batch]) -> tuple[float, float]:
    """One step of the optimizer: its loss over all micro-batches and processes, and its gradient's norm.

    The loss is divided once, by the weight of the whole update, so that it does not matter how the clips of an update
    are split into micro-batches and over processes (Hugging Face, "Fixing gradient accumulation", 2024).
    """
    divisor, norm = total_weight(batches, engine.device), None
    share = engines.world_size() * len(batches)  # the engine takes means over processes and micro-batches
    losses = []
    for batch in batches:
        loss = engine(batch, divisor)
        engine.backward(loss * share)
        norm = engines.gradient_norm(engine)
        engine.step()
        losses.append(loss.detach())
    whole = float(engines.sum_over_ranks(torch.stack(losses).sum()))
    return whole, float(norm or engine.get_global_grad_norm() or 0.0)


def _run(session: Session, settings: SftSettings, journal: Journal) -> None:
    engine, made = session.engine, _batches(session, settings)
    validation = Validation(session, settings)
    validation.catch_up(journal)
    for step in range(session.done + 1, settings.steps + 1):
        lr = session.set_lr(step)
        asked = time.perf_counter()
        batches = [next(made) for _ in range(settings.micro_batches)]
        waited_s = time.perf_counter() - asked
        loss, norm = update(engine, batches)
        if not math.isfinite(loss):
            raise UserError(f"the loss of step {step} is {loss}; lower optimizer.lr or look at the rows of this step")
        tokens = sum(batch.num_tokens for batch in batches)
        timings = {"waited_for_data_s": round(waited_s, 4), "peak_memory_mb": engines.peak_memory_mb()}
        journal.step(step, {"loss": loss, "grad_norm": norm, "lr": lr, "tokens": tokens}, timings)
        validation.save_and_validate(step, journal, {})
