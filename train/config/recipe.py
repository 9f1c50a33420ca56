"""Recipes: one run, or several phases that share a folder and go on from each other's weights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from timeground.cli.recipes import SettingsType, read_recipe, read_tree, validated
from timeground.errors import UserError

from ..finished import RECIPES as RECIPES
from .grpo import GrpoSettings
from .run import SftSettings

AnySettings = SftSettings | GrpoSettings
KINDS: dict[str, type[SftSettings] | type[GrpoSettings]] = {"sft": SftSettings, "grpo": GrpoSettings}
OF_THE_RUN = ("output", "tracker", "phases")
"""Keys that stand once, outside the phases."""
STARTS = ("init", "fresh")
"""Keys of `model` that do too: a later phase starts from the weights of the one before it."""


@dataclass(frozen=True)
class Phase:
    """One kind of training inside a run. A recipe without phases is one without a name."""

    name: str
    settings: AnySettings
    first_step: int = 0
    """Steps of the phases before it, by their recipes."""
    is_last: bool = True

    @property
    def is_first(self) -> bool:
        """Return whether it starts from the recipe's model, and not from the weights of the phase before."""
        return not self.first_step

    @property
    def folder(self) -> Path:
        """Return where it keeps what is its own; a run without phases keeps all in its output."""
        output = Path(self.settings.output)
        return output / "phases" / self.name if self.name else output


@dataclass(frozen=True)
class Recipe:
    """What is run."""

    phases: tuple[Phase, ...]

    @property
    def settings(self) -> AnySettings:
        """Return the settings of the first phase, which is the only one of most recipes."""
        return self.phases[0].settings

    @property
    def kind(self) -> str | None:
        """Return the kind of the run; None where it has phases."""
        return None if self.phases[0].name else self.settings.kind

    @property
    def output(self) -> Path:
        """Return the run's folder."""
        return Path(self.settings.output)

    @property
    def steps(self) -> int:
        """Return the number of steps of all phases."""
        return sum(phase.settings.steps for phase in self.phases)

    def to_tree(self) -> dict[str, Any]:
        """Return the resolved settings, as they are printed, kept and read again."""
        if not self.phases[0].name:
            return self.settings.model_dump(mode="json")
        trees = [phase.settings.model_dump(mode="json") for phase in self.phases]
        start = {key: trees[0]["model"][key] for key in STARTS}
        for tree in trees:
            tree["model"] = {key: value for key, value in tree["model"].items() if key not in STARTS}
        phases = [
            {"name": phase.name, **{key: value for key, value in tree.items() if key not in OF_THE_RUN}}
            for phase, tree in zip(self.phases, trees, strict=True)
        ]
        return {"output": self.settings.output, "tracker": self.settings.tracker, "model": start, "phases": phases}

    def to_yaml(self) -> str:
        """Return the resolved settings as YAML."""
        return yaml.safe_dump(self.to_tree(), sort_keys=False)


def load_recipe(kind: type[SettingsType], recipe: str, overrides: Sequence[str] = ()) -> SettingsType:
    """Return the settings of a recipe (a file, or the name of one that ships) with ``a.b=value`` overrides."""
    return read_recipe(kind, RECIPES, recipe, overrides)[0]


def load_any_recipe(recipe: str, overrides: Sequence[str] = ()) -> Recipe:
    """Return a recipe of whatever kind, with or without phases.

    Raise UserError, in one line, for what is wrong with it.
    """
    tree, path = read_tree(RECIPES, recipe, overrides)
    if "phases" in tree:
        return Recipe(_phases(tree, path))
    return Recipe((Phase("", validated(kind_of(tree, str(path)), tree, path)),))


def kind_of(tree: dict[str, Any], where: str) -> type[SftSettings] | type[GrpoSettings]:
    """Return the settings class of a recipe's tree.

    A recipe of the old form does not say its kind: one that lists `rewards` is for reinforcement learning.
    """
    kind = tree.get("kind", "grpo" if tree.get("rewards") is not None else "sft")
    if kind not in KINDS:
        raise UserError(f"{where}: kind {kind!r} is none of {', '.join(KINDS)}")
    return KINDS[kind]


def _phases(tree: dict[str, Any], path: Path) -> tuple[Phase, ...]:
    """Return the phases of a recipe, each with its own settings over the shared ones."""
    if "kind" in tree:
        raise UserError(f"{path}: kind and phases contradict each other; each phase says its own kind")
    entries = tree["phases"]
    if not isinstance(entries, list) or not entries:
        raise UserError(f"{path}: phases: list at least one, each with its kind and settings")
    classes = [_class_of(entry, f"{path}: phases.{number}") for number, entry in enumerate(entries)]
    shared = {key: value for key, value in tree.items() if key != "phases"}
    known = {key for kind in classes for key in kind.model_fields}
    if unknown := [key for key in shared if key not in known]:
        raise UserError(f"{path}: unknown key {', '.join(unknown)}")
    found: list[Phase] = []
    for number, (entry, kind) in enumerate(zip(entries, classes, strict=True)):
        name = _name_of(entry, number, [phase.name for phase in found], path)
        _refuse_shared(entry, number, path)
        own = {key: value for key, value in entry.items() if key != "name"}
        merged = _over({key: value for key, value in shared.items() if key in kind.model_fields}, own)
        settings = validated(kind, merged, path, f"phases.{number}")
        first = found[-1].first_step + found[-1].settings.steps if found else 0
        found.append(Phase(name, settings, first, number == len(entries) - 1))
    return tuple(found)


def _class_of(entry: Any, where: str) -> type[SftSettings] | type[GrpoSettings]:
    """Return the settings class of a phase."""
    if not isinstance(entry, dict) or not set(entry) - {"name", "kind"}:
        raise UserError(f"{where}: a phase without settings of its own; give at least its kind and its steps")
    if "kind" not in entry:
        raise UserError(f"{where}: say the kind of this phase: {', '.join(KINDS)}")
    return kind_of(entry, where)


def _name_of(entry: dict[str, Any], number: int, taken: Sequence[str], path: Path) -> str:
    """Return a phase's name, which its records and its folder carry."""
    name = str(entry.get("name", f"{number + 1}-{entry['kind']}"))
    if not re.fullmatch(r"[\w-]+", name) or name in taken:
        raise UserError(f"{path}: phases.{number}.name {name!r}: give letters, digits, - and _, each name once")
    return name


def _refuse_shared(entry: dict[str, Any], number: int, path: Path) -> None:
    """Raise UserError for keys of a phase that are the whole run's."""
    model = entry.get("model")
    there = [key for key in OF_THE_RUN if key in entry]
    there += [f"model.{key}" for key in STARTS if isinstance(model, dict) and key in model]
    if there:
        raise UserError(f"{path}: phases.{number}.{there[0]}: all phases share it; write it outside of them")


def _over(shared: Any, own: Any) -> Any:
    """Return settings with some of their groups changed."""
    if isinstance(shared, dict) and isinstance(own, dict):
        return {**shared, **{key: _over(shared.get(key), value) for key, value in own.items()}}
    return own
