"""A run that is set up: its folder, its model, its engine, and where its newest checkpoint left it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from timeground.errors import UserError
from timeground.models.loading import Loaded, load
from timeground.profile import Profile, profile_for
from timeground.recipes import dump

from . import engine as engines
from .adapters import add_lora
from .config import ModelSettings, RunSettings, remarks
from .export import export_model
from .fresh import make_fresh_model
from .packed_model import PackedModel

TRIM_EVERY = 20


@dataclass(frozen=True)
class Session:
    """What a training loop works with. done: steps behind it; state: what the loop itself saved with them."""

    settings: RunSettings
    engine: Any
    loaded: Loaded
    profile: Profile
    done: int
    state: dict[str, Any]
    rank: int
    world: int

    @property
    def output(self) -> Path:
        """The run's folder."""
        return Path(self.settings.output)

    @property
    def visual_ids(self) -> tuple[int, int]:
        """The ids of visual tokens."""
        return self.loaded.family.image_token_id, self.loaded.family.video_token_id

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
            engines.save_checkpoint(self.engine, self.output, step, self.world, self.settings.keep_last, state or {})

    def export(self, name: str = "model") -> None:
        """Write the model as it stands to a folder of the run."""
        lora = self.settings.model.lora
        export_model(self.engine, self.loaded, self.profile, self.output / name, lora.alpha / lora.rank if lora else 0)


def set_up(settings: RunSettings, make_model: Callable[[Loaded], PackedModel]) -> Session:
    """Make or find the run's folder, load the model, build the engine, and take up the newest checkpoint."""
    engines.limit_kernel_cache()
    output = Path(settings.output)
    rank, world = engines.init_distributed()
    torch.manual_seed(settings.seed)
    engines.on_first_rank(lambda: _prepare(settings, output))
    loaded, profile = load_model(settings.model, settings.engine.precision, output)
    if settings.model.lora is not None:
        add_lora(loaded.model, settings.model.lora)
    model = make_model(loaded)
    if settings.model.gradient_checkpointing:
        loaded.model.gradient_checkpointing_enable({"use_reentrant": False})
    engine = engines.make_engine(
        model.train(), settings.optimizer, settings.engine, settings.micro_batches, settings.videos_per_micro_batch
    )
    done, state = engines.resume(engine, output, world)
    return Session(settings, engine, loaded, profile, done, state, rank, world)


def load_model(settings: ModelSettings, precision: str, output: Path) -> tuple[Loaded, Profile]:
    """The model that a run starts from, with its profile."""
    if (settings.init is None) == (settings.fresh is None):
        raise UserError("recipe: give either model.init (a checkpoint) or model.fresh (sizes of a new one)")
    if settings.lora is not None and settings.frozen == "none":
        raise UserError("recipe: model.lora adapts the language model; set model.frozen to tower or vision")
    name = settings.init or str(output / "fresh")
    loaded = load(name, dtype="bfloat16" if precision == "bfloat16" else "float32")
    profile = profile_for(loaded.path, loaded.family.name).with_changes(settings.profile)
    return loaded, profile.checked(loaded.family.name)


def _prepare(settings: RunSettings, output: Path) -> None:
    """Make the run's folder, refuse to go on with other settings, and make a fresh model if one is asked for."""
    output.mkdir(parents=True, exist_ok=True)
    resolved, file = dump(settings), output / "settings.yaml"
    if file.exists() and file.read_text(encoding="utf-8") != resolved:
        raise UserError(
            f"{file}: this folder holds a run with other settings; choose another output, or remove it to start anew"
        )
    print(resolved)
    for remark in remarks(settings):
        print(remark)
    if settings.model.fresh is not None and not (output / "fresh" / "config.json").exists():
        profile = Profile().with_changes(settings.model.profile)
        make_fresh_model(output / "fresh", settings.model.fresh, profile, settings.seed)
    file.write_text(resolved, encoding="utf-8")
