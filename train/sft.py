"""Supervised fine-tuning: next-token loss on the answers, all answers of a video in one forward pass."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from timeground.errors import UserError
from timeground.models.family import Family
from timeground.models.loading import Loaded, load
from timeground.models.sharing import PackedRows, forward_hidden
from timeground.models.vision import Normalisation, cut_patches, encode_vision
from timeground.profile import Profile, profile_for

from . import engine as engines
from .batches import Batch, micro_batches
from .config import OptimizerSettings, SftSettings, dump, load_recipe, profile_of
from .examples import Encoder, RowSource, Source, SynthSource
from .export import export_model
from .fresh import make_fresh_model
from .journal import Journal
from .validate import validate


class SftModel(nn.Module):
    """A model whose forward is the loss of a batch."""

    def __init__(self, model: Any, family: Family, norm: Normalisation, freeze_vision: bool, autocast: bool) -> None:
        super().__init__()
        self.model, self.family, self.norm = model, family, norm
        self.freeze_vision, self.autocast = freeze_vision, autocast
        if freeze_vision:
            model.model.visual.requires_grad_(False)

    def forward(self, batch: Batch) -> torch.Tensor:
        """Mean negative log-likelihood of the answer tokens, each counted by its weight."""
        device = next(self.model.parameters()).device
        with torch.autocast(device.type, torch.bfloat16, enabled=self.autocast):
            logits = self.model.lm_head(self._answer_states(batch, device))
        chosen = batch.targets_BS >= 0
        targets, weights = batch.targets_BS[chosen].to(device), batch.weights_BS[chosen].to(device)
        losses = F.cross_entropy(logits.float(), targets, reduction="none")
        return (losses * weights).sum() / weights.sum()

    def _answer_states(self, batch: Batch, device: torch.device) -> torch.Tensor:
        """Hidden states at the positions whose next token is part of an answer, ``[N, D]``."""
        visual = self.model.model.visual
        dtype = next(visual.parameters()).dtype
        with torch.set_grad_enabled(not self.freeze_vision and torch.is_grad_enabled()):
            pixels = [
                cut_patches(frames.to(device, non_blocking=True), segments, self.family, self.norm, dtype)
                for frames, segments in zip(batch.frames, batch.vision, strict=True)
            ]
            features = encode_vision(visual, pixels)
        rows = PackedRows(
            batch.ids_BL.to(device),
            batch.positions_3BL.to(device),
            batch.visual_BL.to(device),
            features,
            batch.mask_B1SL.to(device),
        )
        hidden = forward_hidden(self.model, rows)
        suffix = hidden[:, -batch.targets_BS.shape[1] :]
        return suffix[(batch.targets_BS >= 0).to(device)]


@dataclass(frozen=True)
class Session:
    """A run that is set up and stands where its newest checkpoint left it."""

    settings: SftSettings
    engine: Any
    loaded: Loaded
    profile: Profile
    done: int
    rank: int
    world: int

    @property
    def output(self) -> Path:
        """The run's folder."""
        return Path(self.settings.output)


def train(settings: SftSettings) -> None:
    """Run, or go on with, a supervised run; leaves checkpoints, metrics and the model in `settings.output`."""
    session = _set_up(settings)
    encoder = Encoder(session.loaded.builder(), session.loaded.family, session.profile, settings.loss_reduction)
    source = make_source(settings, encoder, session.output)
    journal = Journal(session.output, session.done, settings.steps, session.rank == 0)
    try:
        _run(session, source, journal)
    finally:
        journal.close()
    export(session)


def export_newest(run: Path) -> None:
    """Write the model of a run's newest checkpoint to ``run/model``, finished or not."""
    session = _set_up(load_recipe(SftSettings, str(run / "settings.yaml")))
    if not session.done:
        raise UserError(f"{run}: this run has no checkpoint yet")
    export(session)


def export(session: Session) -> None:
    """Write the model as it stands."""
    export_model(session.engine, session.loaded, session.profile, session.output / "model")


def _set_up(settings: SftSettings) -> Session:
    output = Path(settings.output)
    rank, world = engines.init_distributed()
    torch.manual_seed(settings.seed)
    engines.on_first_rank(lambda: _prepare(settings, output))
    loaded, profile = _load(settings, output)
    autocast = settings.engine.precision == "autocast"
    model = SftModel(loaded.model, loaded.family, loaded.norm, settings.model.freeze_vision, autocast)
    if settings.model.gradient_checkpointing:
        loaded.model.gradient_checkpointing_enable({"use_reentrant": False})
    engine = engines.make_engine(
        model.train(),
        settings.optimizer,
        settings.engine,
        settings.micro_batches,
        settings.videos_per_micro_batch,
    )
    return Session(settings, engine, loaded, profile, engines.resume(engine, output, world), rank, world)


def _run(session: Session, source: Source, journal: Journal) -> None:
    settings, engine, loaded = session.settings, session.engine, session.loaded
    done, rank, world = session.done, session.rank, session.world
    per_step = settings.micro_batches * world
    numbers = range(done * per_step + rank, settings.steps * per_step, world)
    visual_ids = (loaded.family.image_token_id, loaded.family.video_token_id)
    batches = micro_batches(source, numbers, settings.videos_per_micro_batch, visual_ids, settings.data.num_workers)
    for step in range(done + 1, settings.steps + 1):
        lr = learning_rate(settings.optimizer, step, settings.steps)
        for group in engine.optimizer.param_groups:
            group["lr"] = lr
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
        value = _mean_over_ranks(torch.stack(losses).mean())
        if not math.isfinite(value):
            raise UserError(f"the loss of step {step} is {value}; lower optimizer.lr or look at the rows of this step")
        norm = norm or engine.get_global_grad_norm()
        timings = {"waited_for_data_s": round(waited_s, 4), "peak_memory_mb": _peak_memory_mb()}
        journal.step(step, {"loss": value, "grad_norm": float(norm or 0.0), "lr": lr, "tokens": tokens}, timings)
        if step % settings.save_every == 0 or step == settings.steps:
            engines.save_checkpoint(engine, session.output, step, world, settings.keep_last)
        if settings.validate_every and (step % settings.validate_every == 0 or step == settings.steps):
            engine.eval()
            journal.note(step, validate(loaded, session.profile, settings.seed, settings.validate_videos))
            engine.train()


def learning_rate(settings: OptimizerSettings, step: int, steps: int) -> float:
    """The rate of a step (from 1): warm-up, then constant or down to ``lr * final_lr_ratio``."""
    if step <= settings.warmup_steps:
        return settings.lr * step / settings.warmup_steps
    if settings.schedule == "constant":
        return settings.lr
    left = 1 - (step - settings.warmup_steps) / max(1, steps - settings.warmup_steps)
    share = left if settings.schedule == "linear" else 0.5 * (1 - math.cos(math.pi * left))
    return settings.lr * (settings.final_lr_ratio + (1 - settings.final_lr_ratio) * share)


def make_source(settings: SftSettings, encoder: Encoder, output: Path) -> Source:
    """What the recipe trains on."""
    data = settings.data
    if (data.rows is None) == (data.synth_seed is None):
        raise UserError("recipe: give either data.rows (a file) or data.synth_seed (SynthMoments), not both or none")
    if data.synth_seed is not None:
        return SynthSource(encoder, data, data.synth_seed)
    return RowSource(encoder, data, settings.seed, settings.videos_per_micro_batch, output / "rejected.jsonl")


def _prepare(settings: SftSettings, output: Path) -> None:
    """Make the run's folder, refuse to go on with other settings, and make a fresh model if one is asked for."""
    output.mkdir(parents=True, exist_ok=True)
    resolved, file = dump(settings), output / "settings.yaml"
    if file.exists() and file.read_text(encoding="utf-8") != resolved:
        raise UserError(
            f"{file}: this folder holds a run with other settings; choose another output, or remove it to start anew"
        )
    print(resolved)
    if settings.model.fresh is not None and not (output / "fresh" / "config.json").exists():
        profile = profile_of(settings.model, Profile())
        make_fresh_model(output / "fresh", settings.model.fresh, profile, settings.seed)
    file.write_text(resolved, encoding="utf-8")


def _load(settings: SftSettings, output: Path) -> tuple[Loaded, Profile]:
    if (settings.model.init is None) == (settings.model.fresh is None):
        raise UserError("recipe: give either model.init (a checkpoint) or model.fresh (sizes of a new one)")
    name = settings.model.init or str(output / "fresh")
    dtype = "bfloat16" if settings.engine.precision == "bfloat16" else "float32"
    loaded = load(name, dtype=dtype)
    profile = profile_of(settings.model, profile_for(loaded.path, loaded.family.name))
    return loaded, profile.checked(loaded.family.name)


def _mean_over_ranks(value: torch.Tensor) -> float:
    if torch.distributed.get_world_size() > 1:
        torch.distributed.all_reduce(value)
        value = value / torch.distributed.get_world_size()
    return float(value)


def _peak_memory_mb() -> int:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() >> 20
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
