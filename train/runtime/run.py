"""A phase of a run that is set up: its model, its engine, and where its newest checkpoint left it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from timeground.chat.profile import Profile
from timeground.errors import UserError
from timeground.models.checkpoint import Checkpoint
from timeground.models.loading import Loaded, load_weights

from ..adapters import add_lora, remarks_on_experts
from ..config import Phase
from ..config.recipe import AnySettings
from ..data.kept import left_out
from ..export import export_model, profile_after
from ..model import PackedModel
from ..schedule import learning_rate
from . import checkpoints, memory
from .distributed import init_distributed, make_engine

TRIM_EVERY = 20


@dataclass(frozen=True)
class Going:
    """How a run that was stopped goes on."""

    resume_from: str | None = None
    """A checkpoint that is not the newest."""
    accept_changed_data: bool = False
    after: str | None = None
    """``phase=folder``: the phases up to this one are over, and this is the model that they left."""


ANEW = Going()
"""From the newest checkpoint, if there is one, on the data that the run began with."""


@dataclass(frozen=True)
class Run:
    """What a training loop works with: a run that is set up, or the phase of it that is at work."""

    phase: Phase
    engine: Any
    loaded: Loaded
    done: int
    """Steps of the phase behind it."""
    state: dict[str, Any]
    """What the loop itself saved with them."""
    rank: int
    world: int
    left_out: frozenset[str] = frozenset()
    """Ids of rows to train without."""

    @property
    def settings(self) -> AnySettings:
        """Return the phase's settings."""
        return self.phase.settings

    @property
    def profile(self) -> Profile:
        """Return how the model is asked, here and when it is exported."""
        return self.loaded.checkpoint.profile

    @property
    def output(self) -> Path:
        """Return the run's folder."""
        return Path(self.settings.output)

    @property
    def visual_ids(self) -> tuple[int, int]:
        """Return the ids of visual tokens."""
        return self.loaded.checkpoint.family.visual_ids

    def number(self, step: int) -> int:
        """Return a step's number in the whole run; steps are counted inside their phase else."""
        return self.phase.first_step + step

    def set_lr(self, step: int) -> float:
        """Give all parameter groups the learning rate of a step, and return it."""
        lr = learning_rate(self.settings.optimizer, step, self.settings.steps)
        for group in self.engine.optimizer.param_groups:
            group["lr"] = lr
        return lr

    def save(self, step: int, state: dict[str, Any] | None = None, always: bool = False) -> None:
        """Write a checkpoint if this step is to have one."""
        if step % TRIM_EVERY == 0:
            memory.trim_memory()
        if always or step % self.settings.save_every == 0 or step == self.settings.steps:
            checkpoints.save_checkpoint(
                self.engine, self.output, self.number(step), self.world, self.settings.keep_last, state or {}
            )

    def remember(self, step: int, state: dict[str, Any]) -> None:
        """Put another state of the loop beside the weights of a step that is saved already."""
        checkpoints.remember(self.output, self.number(step), state)

    def export(self, folder: Path, dtype: torch.dtype | None = torch.bfloat16) -> None:
        """Write the model as it stands to a folder. dtype: of its weights; None: that in which they are trained."""
        lora = self.settings.model.lora
        export_model(self.engine, self.loaded, folder, lora.alpha / lora.rank if lora else 0, dtype)


def set_up(phase: Phase, make_model: Callable[[Loaded], PackedModel], going: Going | None, start: str) -> Run:
    """Load the model of a phase, build its engine, and take up its newest checkpoint.

    going: None if nothing will be trained. start: the folder or name of the model to start from.
    """
    settings = phase.settings
    memory.limit_kernel_cache()
    rank, world = init_distributed()
    torch.manual_seed(settings.seed)
    checkpoint = Checkpoint.open(start).asked_as(None, settings.model.profile)
    is_fresh = phase.is_first and settings.model.fresh is not None
    checkpoint = checkpoint.with_profile(profile_after(checkpoint.profile, settings.data, is_fresh))
    loaded = load_model(checkpoint, settings.engine.precision)
    if settings.model.lora is not None:
        add_lora(loaded.model, settings.model.lora, loaded.checkpoint.family)
    for remark in remarks_on_experts(loaded.model, settings.model.lora is not None) if going and not rank else ():
        print(remark)
    model = make_model(loaded)
    if settings.model.gradient_checkpointing:
        loaded.model.gradient_checkpointing_enable({"use_reentrant": False})
    engine = make_engine(
        model.train(), settings.optimizer, settings.engine, settings.micro_batches, settings.videos_per_micro_batch
    )
    output, resume_from = Path(settings.output), going.resume_from if going else None
    step, state = checkpoints.resume(engine, output, world, resume_from, phase.first_step)
    done = max(0, step - phase.first_step)
    if going and done > settings.steps:
        raise UserError(
            f"steps {settings.steps}: this run has {done} steps behind it; give {done} or more, or go back to an "
            "earlier checkpoint with --resume-from"
        )
    return Run(phase, engine, loaded, done, state, rank, world, left_out(phase.folder))


def load_model(checkpoint: Checkpoint, precision: str) -> Loaded:
    """Return the model that a phase starts from, its weights as the recipe's precision wants them."""
    return load_weights(checkpoint, dtype="bfloat16" if precision == "bfloat16" else "float32")
