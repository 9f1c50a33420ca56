"""A recipe: which videos, which models, which stages in which order. Unknown keys are errors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from timeground.cli.recipes import Settings, read_recipe
from timeground.errors import UserError

from .settings import InputSettings, ModelSettings
from .stages import AnyStage

RECIPES = Path(__file__).parent / "recipes"


class Recipe(Settings):
    """What a run does.

    output: the folder for everything. models: by the names that stages use. prompts: a folder whose files go before
    those of the same name that ship. shard_size: videos that are kept together in one file. max_failed_share: the run
    stops when more of the videos fail. timeout_s: for one video in one stage. allow_toy_model: a model that knows
    rendered shapes only (``tiny``) may annotate other videos too.
    """

    input: InputSettings
    output: str
    models: dict[str, ModelSettings] = Field({"tiny": ModelSettings(name="tiny")}, min_length=1)
    prompts: str | None = None
    seed: int = 0
    shard_size: int = Field(8, ge=1)
    max_failed_share: float = Field(0.2, ge=0, le=1)
    timeout_s: float = Field(600, gt=0)
    allow_toy_model: bool = False
    stages: list[AnyStage] = Field(min_length=1)


def load_recipe(recipe: str, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe from a file, or one that ships, with ``a.b=value`` overrides; ``stages.0.min_s=2`` counts stages."""
    made, path = read_recipe(Recipe, RECIPES, recipe, overrides)
    return _checked(made, path)


def _checked(recipe: Recipe, path: Path) -> Recipe:
    """Refuse a stage that names a model that the recipe does not have."""
    for number, stage in enumerate(recipe.stages):
        for name in stage.models():
            if name not in recipe.models:
                there = ", ".join(recipe.models)
                raise UserError(f"{path}: stages.{number} ({stage.stage}) asks model {name!r}; models has: {there}")
    return recipe
