"""The page of all keys of recipes, from the settings themselves: ``python -m timeground.train.config.page FILE``."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from .explained import Entry, entries

HEAD = """# Every key of a training recipe

Made from the settings (`python -m timeground.train.config.page docs/settings.md`); a test keeps it current.
`timeground train explain KEY` prints one, `timeground train init` writes a recipe with those that one starts with.
Keys are dotted where groups lie in each other: `optimizer.lr=1e-4` on the command line is `optimizer: {lr: 1e-4}` in
a file. What stands once in a recipe with `phases` may stand in each phase.
"""


def page() -> str:
    """Return the page."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries().values():
        groups.setdefault(entry.key.rpartition(".")[0], []).append(entry)
    return "\n".join([HEAD, *(line for name, found in groups.items() for line in _group(name, found))])


def _group(name: str, found: Iterable[Entry]) -> list[str]:
    title = f"## `{name}`" if name else "## The run"
    rows = [
        f"| `{entry.key.rpartition('.')[2]}` | {_cell(entry.type)} | {_cell(entry.default)} | {_cell(entry.meaning)}"
        f"{'' if len(entry.kinds) > 1 else f' ({entry.kinds[0]} only)'} |"
        for entry in found
    ]
    return [title, "", "| key | type | default | meaning |", "| --- | --- | --- | --- |", *rows, ""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("``", "`")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
