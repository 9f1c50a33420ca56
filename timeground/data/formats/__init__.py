"""Public annotation formats as data rows: one small module a format, all with the same ``read(root, split)``.

``root`` is the folder that holds the files as the benchmark publishes them, or the annotation file itself.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

from timeground.data.rows import Row
from timeground.errors import UserError

Reader = Callable[[Path, str], Iterator[Row]]

READERS = (
    "activitynet", "cgbench", "charades", "dynbench", "ego4d_nlq", "extremewhenbench", "longvideobench",
    "longvideohaystack", "lvbench", "mlvu", "momentseeker", "mvbench", "nextgqa", "nextqa", "qvhighlights", "rextime",
    "rows", "tacos", "tempcompass", "time_r1", "timelens_100k", "timelens_bench", "timescope", "tvbench", "tvgbench",
    "videomme", "vue_tr",
)  # fmt: skip
"""Names of the formats; each is a module of this package."""


def splits_of(name: str) -> tuple[str, ...]:
    """Return the splits of a format, its default first; empty if any name will do."""
    splits: tuple[str, ...] = _module(name).SPLITS
    return splits


def read(name: str, root: str | Path, split: str | None = None) -> Iterator[Row]:
    """Yield rows of a public format. Raise UserError for an unknown one or split, a missing file, an odd record."""
    module = _module(name)
    if split is None:
        rows: Iterator[Row] = module.read(Path(root))
        return rows
    if module.SPLITS and split not in module.SPLITS:
        raise UserError(f"{name} has no split {split!r}; there are: {', '.join(module.SPLITS)}")
    chosen: Iterator[Row] = module.read(Path(root), split)
    return chosen


def _module(name: str) -> ModuleType:
    if name not in READERS:
        raise UserError(f"unknown format {name!r}; there are: {', '.join(READERS)}")
    return importlib.import_module(f"timeground.data.formats.{name}")
