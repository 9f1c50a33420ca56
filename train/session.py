"""A run that is set up: its folder, its model, its engine, and where its newest checkpoint left it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from timeground.chat.profile import Profile, profile_for
from timeground.cli.recipes import dump
from timeground.errors import UserError
from timeground.files.whole_files import write_text
from timeground.models.loading import Loaded, load

from . import checkpoints
from . import engine as engines
from .adapters import add_lora
from .config import ModelSettings, RunSettings, remarks
from .crashes import forget_notes
from .data_checks import look_at_data
from .export import export_model
from .fresh import make_fresh_model
from .kept_data import keep_data, left_out
from .kept_settings import refuse_other_settings
from .knows import profile_after
from .packed_model import PackedModel
from .rejected import Rejected
from .sources import REJECTED

TRIM_EVERY = 20


@dataclass(frozen=True)
class Going:
    """How a run that was stopped goes on. resume_from: a checkpoint that is not the newest."""

    resume_from: str | None = None
    accept_changed_data: bool = False


ANEW = Going()
"""From the newest checkpoint, if there is one, on the data that the run began with."""


@dataclass(frozen=True)
class Session:
    """What a training loop works with.

    done: steps behind it; state: what the loop itself saved with them. left_out: ids of rows to train without.
    """

    settings: RunSettings
    engine: Any
    loaded: Loaded
    profile: Profile
    done: int
    state: dict[str, Any]
    rank: int
    world: int
    left_out: frozenset[str] = frozenset()

    @property
    def output(self) -> Path:
        """The run's folder."""
        return Path(self.settings.output)

    @property
    def visual_ids(self) -> tuple[int, int]:
        """The ids of visual tokens."""
        return self.loaded.family.visual_ids

    def set_lr(self, step: int) -> float:
        """Give all parameter groups the learning rate of a step, and return it."""
        lr = engines.learning_rate(self.settings.optimizer, step, self.settings.steps)
        for group in self.engine.optimizer.param_groups:
            group["lr"] = lr
        return lr

    def save(self, step: int, state: dict[str, Any] | None = None, always: bool = False) -> None:
        """Write a checkpoint if this step is to have one."""
        if step % TRIM_EVERY == 0:
            engines.trim_memory()
        if always or step % self.settings.save_every == 0 or step == self.settings.steps:
            checkpoints.save_checkpoint(
                self.engine, self.output, step, self.world, self.settings.keep_last, state or {}
            )

    def export(self, name: str = "model") -> None:
        """Write the model as it stands to a folder of the run."""
        lora = self.settings.model.lora
        export_model(self.engine, self.loaded, self.profile, self.output / name, lora.alpha / lora.rank if lora else 0)


def set_up(settings: RunSettings, make_model: Callable[[Loaded], PackedModel], going: Going | None) -> Session:
    """Make or find the run's folder, look at its data, load the model, build the engine, and take up a checkpoint.

    going: None if nothing will be trained; then the data are not looked at.
    """
    engines.limit_kernel_cache()
    output = Path(settings.output)
    rank, world = engines.init_distributed()
    torch.manual_seed(settings.seed)
    engines.on_first_rank(lambda: _prepare(settings, output, going, world))
    loaded, profile = load_model(settings.model, settings.engine.precision, output)
    profile = profile_after(profile, settings.data, settings.model.fresh is not None)
    if settings.model.lora is not None:
        add_lora(loaded.model, settings.model.lora)
    model = make_model(loaded)
    if settings.model.gradient_checkpointing:
        loaded.model.gradient_checkpointing_enable({"use_reentrant": False})
    engine = engines.make_engine(
        model.train(), settings.optimizer, settings.engine, settings.micro_batches, settings.videos_per_micro_batch
    )
    done, state = checkpoints.resume(engine, output, world, going.resume_from if going else None)
    if going and done > settings.steps:
        raise UserError(
            f"steps {settings.steps}: this run has {done} steps behind it; give {done} or more, or go back to an "
            "earlier checkpoint with --resume-from"
        )
    return Session(settings, engine, loaded, profile, done, state, rank, world, left_out(output))


def load_model(settings: ModelSettings, precision: str, output: Path) -> tuple[Loaded, Profile]:
    """The model that a run starts from, with its profile."""
    if (settings.init is None) == (settings.fresh is None):
        raise UserError("recipe: give either model.init (a checkpoint) or model.fresh (sizes of a new one)")
    if settings.lora is not None and settings.frozen == "none":
        raise UserError("recipe: model.lora adapts the language model; set model.frozen to tower or vision")
    name = settings.init or str(output / "fresh")
    loaded = load(name, dtype="bfloat16" if precision == "bfloat16" else "float32")
    profile = profile_for(loaded.path, loaded.family).with_changes(settings.profile)
    return loaded, profile.checked(loaded.family)


def _prepare(settings: RunSettings, output: Path, going: Going | None, world: int) -> None:
    """Refuse to go on with other settings or data, and make a fresh model if one is asked for."""
    file = output / "settings.yaml"
    if going is None:
        return
    if file.exists():
        refuse_other_settings(settings, file)
    resolved = dump(settings)
    print(resolved)
    for remark in remarks(settings):
        print(remark)
    _look(settings, output, going, world)
    if settings.model.fresh is not None and not (output / "fresh" / "config.json").exists():
        profile = Profile().with_changes(settings.model.profile)
        make_fresh_model(output / "fresh", settings.model.fresh, profile, settings.seed)
    write_text(file, resolved)


def _look(settings: RunSettings, output: Path, going: Going, world: int) -> None:
    """Look at the data; list what is passed over."""
    forget_notes(output)
    looked = look_at_data(settings, world)
    if part := looked.training:
        if part.none_is_left:
            video, reason = next(iter(part.unreadable.items()))
            raise UserError(f"none of the videos of {part.name} can be read, the first because: {reason} ({video})")
        chosen = set(looked.left_out)
        bad = [(row, part.wrong[row.id]) for row in part.rows if row.id in chosen]
        if listed := [*part.unusable, *bad]:
            Rejected(output / REJECTED).add(listed)
            print(f"{len(listed)} rows cannot be used and are passed over; {output / REJECTED} lists them")
    keep_data(
        output, looked, settings.model.init, bool(checkpoints.finished_checkpoints(output)), going.accept_changed_data
    )
