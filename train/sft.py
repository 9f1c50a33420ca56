"""Supervised fine-tuning: next-token loss on the answers, all answers of a video in one forward pass."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from functools import partial

import torch
from torch.nn import functional as F

from timeground.errors import UserError

from . import engine as engines
from .batches import Batch, made_ahead, pack
from .config import SftSettings
from .examples import Encoder
from .journal import Journal
from .packed_model import PackedModel
from .session import Session, set_up
from .sources import Source, make_source
from .validate import Validation


class SftModel(PackedModel):
    """A model whose forward is the loss of a batch."""

    def forward(self, batch: Batch) -> torch.Tensor:
        """Mean negative log-likelihood of the answer tokens, each counted by its weight."""
        logits = self.answer_logits(batch)
        weights = batch.weights_N.to(logits.device)
        losses = F.cross_entropy(logits, batch.targets_N.to(logits.device), reduction="none")
        return (losses * weights).sum() / weights.sum()


def train(settings: SftSettings) -> None:
    """Run, or go on with, a supervised run; leaves checkpoints, metrics and the model in `settings.output`."""
    session = set_up_run(settings)
    journal = Journal(session.output, session.done, settings.steps, session.rank == 0)
    try:
        _run(session, settings, journal)
    finally:
        journal.close()
    session.export()


def set_up_run(settings: SftSettings) -> Session:
    """The run as it stands."""
    autocast = settings.engine.precision == "autocast"
    return set_up(settings, lambda loaded: SftModel(loaded, settings.model, autocast))


def _batches(session: Session, settings: SftSettings) -> Iterator[Batch]:
    family, profile = session.loaded.family, session.profile
    encoder = Encoder(session.loaded.builder(), family, profile, settings.loss_reduction)
    source = make_source(
        settings.data, profile.sampling(family), settings.videos_per_micro_batch, settings.seed, session.output
    )
    per_step = settings.micro_batches * session.world
    numbers = range(session.done * per_step + session.rank, settings.steps * per_step, session.world)
    make = partial(make_batch, source, encoder, session.visual_ids)
    return made_ahead(make, numbers, settings.data.num_workers)


def make_batch(source: Source, encoder: Encoder, visual_ids: tuple[int, int], number: int) -> Batch:
    """The number-th micro-batch of a source."""
    return pack([e for item in source.clips(number) for e in encoder.supervised(item)], visual_ids)


def _run(session: Session, settings: SftSettings, journal: Journal) -> None:
    engine, batches = session.engine, _batches(session, settings)
    validation = Validation(session, settings)
    for step in range(session.done + 1, settings.steps + 1):
        lr = session.set_lr(step)
        losses, tokens, waited_s, norm = [], 0, 0.0, None
        for _ in range(settings.micro_batches):
            asked = time.perf_counter()
            batch = next(batches)
            waited_s += time.perf_counter() - asked
            loss = engine(batch)
            engine.backward(loss)
            norm = engines.gradient_norm(engine)
            engine.step()
            losses.append(loss.detach())
            tokens += batch.num_tokens
        value = float(engines.sum_over_ranks(torch.stack(losses).mean())) / session.world
        if not math.isfinite(value):
            raise UserError(f"the loss of step {step} is {value}; lower optimizer.lr or look at the rows of this step")
        norm = norm or engine.get_global_grad_norm()
        timings = {"waited_for_data_s": round(waited_s, 4), "peak_memory_mb": engines.peak_memory_mb()}
        journal.step(step, {"loss": value, "grad_norm": float(norm or 0.0), "lr": lr, "tokens": tokens}, timings)
        validation.at(step, journal)
        session.save(step, {"best": validation.best})
