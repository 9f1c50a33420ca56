"""A run's settings: one YAML recipe, dotted overrides on the command line, unknown keys are errors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from timeground.errors import UserError
from timeground.profile import Profile

from .fresh import FreshModel

RECIPES = Path(__file__).parent / "recipes"


class Settings(BaseModel):
    """A group of settings; names that are not listed are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelSettings(Settings):
    """Where the weights start. Either `init` (Hub id, folder or ``tiny``) or `fresh` (a new model's sizes)."""

    init: str | None = None
    fresh: FreshModel | None = None
    profile: dict[str, Any] = Field(default_factory=dict, description="changes to the checkpoint's profile")
    freeze_vision: bool = False
    gradient_checkpointing: bool = False


class StageSettings(Settings):
    """One stage of a run on SynthMoments: which scenes, and which questions about them.

    durations_s: each micro-batch draws from one of these in turn, so that its clips are of like length.
    kind_weights: how often each kind of row is asked; ``kind:action`` is more special than ``kind``.
    simple: actors that come and go and do nothing else. snap: answers are the stamps nearest to the true times.
    micro_batches: how long it lasts, counted over all processes; the last stage lasts to the end.
    """

    durations_s: list[tuple[float, float]] = [(8.0, 60.0)]
    kind_weights: dict[str, float] = Field(default_factory=dict)
    simple: bool = False
    snap: bool = False
    micro_batches: int | None = Field(None, ge=1)


class DataSettings(Settings):
    """What is trained on: rows of a file, or scenes of SynthMoments rendered on the fly."""

    rows: str | None = None
    videos: str = "."
    synth_seed: int | None = None
    synth_stages: list[StageSettings] = [StageSettings()]
    questions_per_video: int = Field(6, ge=1, description="rows of one video that share its prefix")
    image_share: float = Field(0.0, ge=0, le=1, description="share of clips given as stamped images")
    num_workers: int = Field(2, ge=0)


class OptimizerSettings(Settings):
    """AdamW with a linear warm-up, then constant, linear or cosine decay to `final_lr_ratio`."""

    lr: float = 1e-5
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    warmup_steps: int = Field(0, ge=0)
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    final_lr_ratio: float = 0.0
    max_grad_norm: float = 1.0


class EngineSettings(Settings):
    """How DeepSpeed runs it. precision `autocast`: float32 weights, bfloat16 arithmetic."""

    zero_stage: Literal[0, 1, 2, 3] = 0
    offload_optimizer: bool = False
    precision: Literal["float32", "bfloat16", "autocast"] = "float32"


class SftSettings(Settings):
    """A supervised run."""

    seed: int = 0
    output: str
    steps: int = Field(ge=1)
    videos_per_micro_batch: int = Field(1, ge=1)
    micro_batches: int = Field(1, ge=1, description="gradient accumulation: micro-batches an update, per process")
    loss_reduction: Literal["token", "sequence", "square"] = Field(
        "token", description="a row weighs as its tokens, as one, or as the root of its tokens (TimeLens2)"
    )
    save_every: int = Field(500, ge=1)
    keep_last: int = Field(2, ge=1)
    validate_every: int = Field(0, ge=0, description="0: never")
    validate_videos: int = 32
    model: ModelSettings
    data: DataSettings
    optimizer: OptimizerSettings = OptimizerSettings()
    engine: EngineSettings = EngineSettings()


SettingsType = TypeVar("SettingsType", bound=Settings)


def load_recipe(kind: type[SettingsType], recipe: str, overrides: Sequence[str] = ()) -> SettingsType:
    """The settings of a recipe (a file, or the name of one that ships) with ``a.b=value`` overrides."""
    path = Path(recipe)
    if not path.is_file():
        path = RECIPES / f"{path.stem}.yaml"
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in RECIPES.glob("*.yaml")))
        raise UserError(f"recipe {recipe!r}: no such file, nor a shipped recipe; shipped are: {there}")
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise UserError(f"{path}: expected settings as 'name: value' lines")
    for override in overrides:
        _apply_override(tree, override)
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        raise UserError(f"{path}: {_in_one_line(error)}") from None


def dump(settings: Settings) -> str:
    """The resolved settings as YAML, as they are printed and saved with a run."""
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False)


def profile_of(settings: ModelSettings, base: Profile) -> Profile:
    """The profile of the checkpoint with the recipe's changes."""
    return base.with_changes(settings.profile)


def _apply_override(tree: dict[str, Any], override: str) -> None:
    name, sign, text = override.partition("=")
    if not sign:
        raise UserError(f"override {override!r}: write it as name=value, for instance optimizer.lr=1e-4")
    *parents, last = name.split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
        if not isinstance(tree, dict):
            raise UserError(f"override {override!r}: {parent} is a value, not a group of settings")
    tree[last] = yaml.safe_load(text)


def _in_one_line(error: ValidationError) -> str:
    problems = []
    for item in error.errors():
        name = ".".join(str(part) for part in item["loc"])
        problems.append(f"unknown key {name}" if item["type"] == "extra_forbidden" else f"{name}: {item['msg']}")
    return "; ".join(problems)
