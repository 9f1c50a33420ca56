"""A recipe: which videos, which models, which stages in which order. Unknown keys and wrong orders are errors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from timeground.cli.recipes import Settings, read_recipe
from timeground.errors import UserError

from . import stages as stages  # so that each can be named
from .asking import ModelSettings
from .inputs import InputSettings, brings
from .stage import AnyStage, Stage, givers

RECIPES = Path(__file__).parent / "recipes"


class Recipe(Settings):
    """What a run does."""

    input: InputSettings
    output: str
    """The folder for everything that the run writes."""
    models: dict[str, ModelSettings] = Field({"tiny": ModelSettings(name="tiny")}, min_length=1)
    """The models, by the names that stages use."""
    prompts: str | None = None
    """A folder whose prompt files go before those of the same name that ship."""
    seed: int = 0
    shard_size: int = Field(8, ge=1)
    """Videos that are kept together in one file."""
    max_failed_share: float = Field(0.2, ge=0, le=1)
    """The run stops when a larger share of the videos fails."""
    timeout_s: float = Field(600, gt=0)
    """For one video in one stage."""
    allow_toy_model: bool = False
    """A model that knows rendered shapes only (``tiny``) may annotate other videos too."""
    stages: list[AnyStage] = Field(min_length=1)


def load_recipe(recipe: str, overrides: Sequence[str] = ()) -> Recipe:
    """Return a recipe from a file, or one that ships, with ``a.b=value`` overrides (``stages.0.min_s=2``).

    Raise UserError, in one line, for what is wrong with it: a setting, a model that it does not have, the order of
    stages.
    """
    loaded, path = read_recipe(Recipe, RECIPES, recipe, overrides)
    for number, stage in enumerate(loaded.stages):
        if problem := _unknown_model(loaded, stage) or _missing_key(loaded, number):
            raise UserError(f"{path}: stages.{number} ({stage.stage}) {problem}")
    return loaded


def _unknown_model(recipe: Recipe, stage: Stage) -> str | None:
    """Return what is wrong where a stage asks a model that the recipe does not have."""
    for name in stage.models():
        if name not in recipe.models:
            return f"asks model {name!r}; models has: {', '.join(recipe.models)}"
    return None


def _missing_key(recipe: Recipe, number: int) -> str | None:
    """Return what is wrong where a stage needs what no earlier stage gives and no row brings in.

    If some rows bring a key, those that do not are left to the stage, which fails their videos one by one.
    """
    stage, earlier = recipe.stages[number], recipe.stages[:number]
    there = {key for one in earlier for key in one.given()}
    for key in stage.needed():
        if key not in there and not brings(recipe.input, key):
            off = next((one for one in earlier if key in one.gives), None)
            advice = f"set {off.gives_if[key]}: true in stage {off.stage} before it" if off else givers(key)
            return f"needs {key}, which no stage before it gives; {advice}"
    return None
