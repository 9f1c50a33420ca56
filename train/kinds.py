"""Of which kind a recipe is: one that lists `rewards` is for reinforcement learning, any other is supervised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ConfigDict

from timeground.cli.recipes import Settings

from .config import SftSettings, load_recipe
from .grpo.settings import GrpoSettings


class _Peek(Settings):
    """The one key that tells; all others are let pass."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    rewards: Any = None


def kind_of(recipe: str, overrides: Sequence[str] = ()) -> type[SftSettings] | type[GrpoSettings]:
    """The settings class of a recipe (a file, or the name of one that ships)."""
    return SftSettings if load_recipe(_Peek, recipe, overrides).rewards is None else GrpoSettings


def load_any_recipe(recipe: str, overrides: Sequence[str] = ()) -> SftSettings | GrpoSettings:
    """The settings of a recipe, whatever its kind; UserError as `load_recipe` raises it."""
    return load_recipe(kind_of(recipe, overrides), recipe, overrides)
