"""TVBench: MVBench's format with ten tasks (FunAILab/TVBench on the Hub); the number of candidates varies.

Which tasks bound their videos by ``start`` and ``end`` is inferred from the items themselves. Videos lie in
``video/<task>/``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from timeground.data.formats.mvbench import read_tasks
from timeground.data.rows import Row

SPLITS = ("test",)
DOWNLOAD = "huggingface.co/datasets/FunAILab/TVBench"


def read(root: Path, split: str = "test") -> Iterator[Row]:
    """Yield rows of every ``json/<task>.json``; ids are ``<task>-<number>``."""
    yield from read_tasks(root, "tvbench", {}, DOWNLOAD)
