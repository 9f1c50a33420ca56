"""Recipes: one YAML file of settings, dotted overrides on the command line, unknown keys are errors."""

from __future__ import annotations

import argparse
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from timeground.errors import UserError
from timeground.methods import check_method


class Settings(BaseModel):
    """A group of settings; names that are not listed are refused, and so are numbers that are none (NaN, infinity)."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _method_name(name: str) -> str:
    try:
        return check_method(name)
    except UserError as error:
        raise ValueError(str(error)) from None


MethodName = Annotated[str, AfterValidator(_method_name)]
"""A method, by name or import path; an unknown one is an error of the setting."""
SettingsType = TypeVar("SettingsType", bound=Settings)


class _UniqueKeys(yaml.SafeLoader):
    """Safe YAML in which no group names a key twice: PyYAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping. Raise MarkedYAMLError at a key that stands there for a second time."""
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable):
                if key in seen:
                    problem = f"the key {key} stands there twice; keep one of the two"
                    raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
                seen.add(key)
        return super().construct_mapping(node, deep)


def load_yaml(text: str) -> Any:
    """Return what a YAML text holds. Raise yaml.YAMLError for what is none, and for a key that a group names twice."""
    return yaml.load(text, _UniqueKeys)  # noqa: S506 - a SafeLoader


class RecipeParser(argparse.ArgumentParser):
    """Parses a recipe, ``name=value`` overrides and options, in whatever order they are typed."""

    _inside = False

    def add_recipe(self, help: str, example: str) -> None:
        """Declare RECIPE and its overrides; afterwards they are ``args.recipe`` and ``args.overrides``."""
        self.add_argument("recipe", metavar="RECIPE", help=help)
        self.add_argument("overrides", nargs="*", metavar="name=value", help=f"settings to change, such as {example}")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse words with options between them; an override may stand before the recipe."""
        if self._inside:  # argparse parses twice for that, by this very method
            return super().parse_known_args(args, namespace)
        self._inside = True
        try:
            parsed, rest = self.parse_known_intermixed_args(args, namespace)
        finally:
            self._inside = False
        if "overrides" in parsed:
            words = [parsed.recipe, *parsed.overrides]
            parsed.recipe = next((word for word in words if "=" not in word), parsed.recipe)
            words.remove(parsed.recipe)
            parsed.overrides = words
        return parsed, rest


def read_recipe(
    kind: type[SettingsType], shipped: Path, recipe: str, overrides: Sequence[str] = ()
) -> tuple[SettingsType, Path]:
    """Return the settings of a recipe and its file; a recipe is a file, or the name of one in the folder `shipped`.

    overrides: ``a.b=value``; a number counts the entries of a list (``stages.0.min_s=2``).
    Raise UserError, in one line, for what is wrong with it.
    """
    tree, path = read_tree(shipped, recipe, overrides)
    return validated(kind, tree, path), path


def read_tree(shipped: Path, recipe: str, overrides: Sequence[str] = ()) -> tuple[dict[str, Any], Path]:
    """Return a recipe's settings as they are written, overrides applied, and its file.

    Raise UserError, in one line, for what cannot be read.
    """
    path = Path(recipe)
    if not path.is_file():
        path = shipped / f"{path.stem}.yaml"
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in shipped.glob("*.yaml")))
        raise UserError(f"recipe {recipe!r}: no such file, nor a shipped recipe; shipped are: {there}")
    try:
        tree = load_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise UserError(f"{path}: expected settings as 'name: value' lines")
    for override in overrides:
        _apply(tree, override)
    return tree, path


def validated(kind: type[SettingsType], tree: Any, path: Path, inside: str = "") -> SettingsType:
    """Return the settings that a tree holds.

    inside: what stands before the names in it. Raise UserError, in one line, if the tree does not fit.
    """
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        raise UserError(f"{path}: {_in_one_line(error, inside)}") from None


def dump(settings: Settings) -> str:
    """Return the resolved settings as YAML, as they are printed and kept with a run."""
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False)


def _apply(tree: Any, override: str) -> None:
    name, sign, text = override.partition("=")
    if not sign:
        raise UserError(f"override {override!r}: write it as name=value, for instance seed=1")
    *parents, last = name.split(".")
    try:
        for parent in parents:
            tree = tree[int(parent)] if isinstance(tree, list) else tree.setdefault(parent, {})
        tree[int(last) if isinstance(tree, list) else last] = load_yaml(text)
    except (TypeError, ValueError, IndexError, AttributeError):
        raise UserError(f"override {override!r}: a part of its name is a value, not a group of settings") from None
    except yaml.YAMLError as error:
        reason = getattr(error, "problem", None) or "no valid value"
        raise UserError(f"override {override!r}: the value is not valid YAML: {reason}") from None


def _in_one_line(error: ValidationError, inside: str) -> str:
    problems = []
    for item in error.errors():
        name = ".".join([*([inside] if inside else []), *(str(part) for part in item["loc"])])
        problems.append(f"unknown key {name}" if item["type"] == "extra_forbidden" else f"{name}: {item['msg']}")
    return "; ".join(problems)
