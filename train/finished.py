"""Whether a run is over: the same command again says so at once, without loading a model or a library of models."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from timeground.cli.recipes import read_tree
from timeground.files.content_keys import path_contents
from timeground.files.whole_files import write_text

RECIPES = Path(__file__).parent / "recipes"
FINISHED = "finished.json"


def finished(recipe: str, overrides: Sequence[str]) -> str | None:
    """Return the line to say where this very recipe has been run to its end, and its model is there; else None."""
    tree, digest = _written(recipe, overrides)
    output = Path(str(tree.get("output", "")))
    try:
        known = json.loads((output / FINISHED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(known, dict) or known.get("recipe") != digest or not (output / "model" / "config.json").is_file():
        return None
    return f"{output}: finished, {known.get('steps')} steps; more steps go on from there. {try_it(output)}"


def note_finished(recipe: str, overrides: Sequence[str], output: Path, steps: int) -> None:
    """Note that a recipe has been run to its end."""
    write_text(output / FINISHED, json.dumps({"recipe": _written(recipe, overrides)[1], "steps": steps}))


def try_it(output: Path) -> str:
    """Return where the model of a run is, and the line that tries it."""
    return f"Try {output / 'model'}: timeground ground VIDEO 'query' --model {output / 'model'}"


def _written(recipe: str, overrides: Sequence[str]) -> tuple[dict[str, Any], str]:
    """Return a recipe as it is written, overrides applied, and the identity of that and of the rows that it names."""
    tree, _ = read_tree(RECIPES, recipe, overrides)
    said = json.dumps([tree, [path_contents(file) for file in _row_files(tree)]], sort_keys=True, default=str)
    return tree, hashlib.sha256(said.encode()).hexdigest()


def _row_files(part: Any) -> Iterator[Path]:
    """Yield the files of rows that a recipe names, at whatever depth."""
    if isinstance(part, list):
        for one in part:
            yield from _row_files(one)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key in ("rows", "validation_rows") and isinstance(value, str):
                yield Path(value)
            else:
                yield from _row_files(value)
