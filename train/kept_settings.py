"""The settings that a run's folder was begun with, against those it is to go on with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from timeground.cli.recipes import load_yaml
from timeground.data.row_checks import shown
from timeground.errors import UserError

from .config import RunSettings

MAY_CHANGE = (
    "output", "steps", "save_every", "keep_last", "validate_every", "tracker", "data.num_workers", "rollout.url",
    "rollout.shared_folder", "rollout.transfer", "rollout.timeout_s", "rollout.patience_s", "rollout.concurrency",
)  # fmt: skip
"""How long a run goes on, what it keeps and shows, and by what means it works: none of it changes a step."""


def refuse_other_settings(settings: RunSettings, file: Path) -> None:
    """UserError, with both values, if a run's folder was begun with settings that would make other steps.

    A setting that the file does not have counts as its default, so that a release may add some.
    """
    there, here = _read(type(settings), file), settings.model_dump(mode="json")
    told = [
        f"{name} is {shown(old)} there and {shown(new)} here"
        for name, old, new in differences(there, here)
        if name not in MAY_CHANGE
    ]
    if told:
        raise UserError(
            f"{file}: this folder holds a run with other settings: {'; '.join(told)}; take those, choose another "
            "output, or remove the folder to start anew"
        )


def differences(a: Any, b: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two trees of settings differ: dotted name, value in the one, value in the other."""
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


def _read(kind: type[RunSettings], file: Path) -> dict[str, Any]:
    """The settings of a file, complete. Names that this release no longer knows are left out."""
    try:
        tree = load_yaml(file.read_text(encoding="utf-8"))
        for _ in range(2):
            try:
                return kind.model_validate(tree).model_dump(mode="json")
            except ValidationError as error:
                unknown = [item["loc"] for item in error.errors() if item["type"] == "extra_forbidden"]
                if not unknown:
                    raise
                for place in unknown:
                    _remove(tree, place)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError, KeyError, TypeError, IndexError):
        pass
    raise UserError(
        f"{file}: cannot be read as the settings of a run of this kind; choose another output, or remove the folder to "
        "start anew"
    )


def _remove(tree: Any, place: tuple[Any, ...]) -> None:
    for part in place[:-1]:
        tree = tree[part]
    del tree[place[-1]]
