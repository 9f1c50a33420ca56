"""A recipe: which videos, which models, which stages in which order. Unknown keys are errors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from timeground.errors import UserError

from .settings import InputSettings, ModelSettings, Settings
from .stages import AnyStage

RECIPES = Path(__file__).parent / "recipes"


class Recipe(Settings):
    """What a run does.

    output: the folder for everything. models: by the names that stages use. prompts: a folder whose files go before
    those of the same name that ship. shard_size: videos that are kept together in one file. max_failed_share: the run
    stops when more of the videos fail. timeout_s: for one video in one stage.
    """

    input: InputSettings
    output: str
    models: dict[str, ModelSettings] = Field({"tiny": ModelSettings(name="tiny")}, min_length=1)
    prompts: str | None = None
    seed: int = 0
    shard_size: int = Field(8, ge=1)
    max_failed_share: float = Field(0.2, ge=0, le=1)
    timeout_s: float = Field(600, gt=0)
    stages: list[AnyStage] = Field(min_length=1)


def load_recipe(recipe: str, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe from a file, or one that ships, with ``a.b=value`` overrides; ``stages.0.min_s=2`` counts stages."""
    path = Path(recipe)
    if not path.is_file():
        path = RECIPES / f"{path.stem}.yaml"
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in RECIPES.glob("*.yaml")))
        raise UserError(f"recipe {recipe!r}: no such file, nor a shipped recipe; shipped are: {there}")
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise UserError(f"{path}: expected settings as 'name: value' lines")
    for override in overrides:
        _apply(tree, override)
    try:
        made = Recipe.model_validate(tree)
    except ValidationError as error:
        raise UserError(f"{path}: {_in_one_line(error)}") from None
    return _checked(made, path)


def dump(settings: Settings) -> str:
    """The settings as YAML, as they are kept beside the results."""
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False)


def _checked(recipe: Recipe, path: Path) -> Recipe:
    """Refuse a stage that names a model that the recipe does not have."""
    for number, stage in enumerate(recipe.stages):
        for name in stage.models():
            if name not in recipe.models:
                there = ", ".join(recipe.models)
                raise UserError(f"{path}: stages.{number} ({stage.stage}) asks model {name!r}; models has: {there}")
    return recipe


def _apply(tree: Any, override: str) -> None:
    name, sign, text = override.partition("=")
    if not sign:
        raise UserError(f"override {override!r}: write it as name=value, for instance input.videos=clips")
    *parents, last = name.split(".")
    try:
        for parent in parents:
            tree = tree[int(parent)] if isinstance(tree, list) else tree.setdefault(parent, {})
        tree[int(last) if isinstance(tree, list) else last] = yaml.safe_load(text)
    except (TypeError, ValueError, IndexError, AttributeError):
        raise UserError(f"override {override!r}: there is no such setting in the recipe") from None
    except yaml.YAMLError:
        raise UserError(f"override {override!r}: the value is not valid YAML") from None


def _in_one_line(error: ValidationError) -> str:
    problems = []
    for item in error.errors():
        name = ".".join(str(part) for part in item["loc"])
        problems.append(f"unknown key {name}" if item["type"] == "extra_forbidden" else f"{name}: {item['msg']}")
    return "; ".join(problems)
