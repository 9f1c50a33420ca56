"""The recipe that a run's folder was begun with, against the one that it is to go on with."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from timeground.cli.recipes import load_yaml
from timeground.data.row_checks import shown
from timeground.errors import UserError

from .recipe import STARTS, Recipe, kind_of

MAY_CHANGE = (
    "output", "steps", "save_every", "keep_last", "validate_every", "tracker", "data.num_workers", "rollout.url",
    "rollout.shared_folder", "rollout.transfer", "rollout.timeout_s", "rollout.patience_s", "rollout.concurrency",
)  # fmt: skip
"""How long a run goes on, what it keeps and shows, and by what means it works: none of it changes a step."""


def refuse_other_settings(recipe: Recipe, file: Path, finished: Collection[str] = ()) -> None:
    """Raise UserError, with both values, if a run's folder was begun with settings that would make other steps.

    A setting that the file does not have counts as its default, so that a release may add some. Phases may be added at
    the end. finished: names of phases that are over, whose number of steps stays.
    """
    there, here = _read(file), recipe.to_tree()
    if len(there.get("phases", ())) < len(here.get("phases", ())) and "phases" in there:
        here = {**here, "phases": here["phases"][: len(there["phases"])]}
    told = [
        f"{name} is {shown(old)} there and {shown(new)} here"
        for name, old, new in differences(there, here)
        if not _may_change(name, here, finished)
    ]
    if told:
        raise UserError(
            f"{file}: this folder holds a run with other settings: {'; '.join(told)}; take those, choose another "
            "output, or remove the folder to start anew"
        )


def _may_change(name: str, here: dict[str, Any], finished: Collection[str]) -> bool:
    """Return whether a setting, by its dotted name, may differ when a run goes on."""
    inside = re.fullmatch(r"phases\.(\d+)\.(.+)", name)
    if inside is None:
        return name in MAY_CHANGE
    over = here["phases"][int(inside[1])]["name"] in finished
    return inside[2] in MAY_CHANGE and not (over and inside[2] == "steps")


def differences(a: Any, b: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield where two trees of settings differ: dotted name, value in the one, value in the other."""
    if isinstance(a, dict) and isinstance(b, dict):
        pairs: Any = [(key, a.get(key), b.get(key)) for key in {**a, **b}]
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        pairs = [(number, x, y) for number, (x, y) in enumerate(zip(a, b, strict=True))]
    else:
        if a != b:
            yield name, a, b
        return
    for key, x, y in pairs:
        yield from differences(x, y, f"{name}.{key}" if name else str(key))


def _read(file: Path) -> dict[str, Any]:
    """Return the settings of a file, complete."""
    try:
        tree = load_yaml(file.read_text(encoding="utf-8"))
        if "phases" not in tree:
            return _complete(tree)
        start = tree["model"]
        phases = [
            _complete({**phase, "output": tree["output"], "model": {**start, **phase["model"]}})
            for phase in tree["phases"]
        ]
        for phase, written in zip(phases, tree["phases"], strict=True):
            phase["name"] = written["name"]
            del phase["output"], phase["tracker"]
            phase["model"] = {key: value for key, value in phase["model"].items() if key not in STARTS}
        return {**tree, "phases": phases}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError, KeyError, TypeError, IndexError, UserError):
        raise UserError(
            f"{file}: cannot be read as the settings of a run of this kind; choose another output, or remove the "
            "folder to start anew"
        ) from None


def _complete(tree: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of one run or phase with every key. Names that this release no longer knows are left out."""
    tree.pop("name", None)
    kind = kind_of(tree, "settings")
    try:
        return kind.model_validate(tree).model_dump(mode="json")
    except ValidationError as error:
        unknown = [item["loc"] for item in error.errors() if item["type"] == "extra_forbidden"]
        if not unknown:
            raise
        for place in unknown:
            _remove(tree, place)
        return kind.model_validate(tree).model_dump(mode="json")


def _remove(tree: Any, place: tuple[Any, ...]) -> None:
    for part in place[:-1]:
        tree = tree[part]
    del tree[place[-1]]
