"""timeground's own rows, as a benchmark: ``<split>.jsonl``, ``annotations.jsonl``, or a Parquet file of rows.

``timeground synth`` writes SynthMoments this way.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from timeground.data.formats.files import find_file
from timeground.data.rows import Row, read_rows

SPLITS: tuple[str, ...] = ()
"""Any name: it is the file's."""


def read(root: Path, split: str = "annotations") -> Iterator[Row]:
    """Yield rows of ``<split>.jsonl`` or ``<split>.parquet``; of the file itself if ``root`` is one."""
    names = (f"{split}.jsonl", f"{split}.parquet", "annotations.jsonl")
    yield from read_rows(find_file(root, *names, download="where your rows are, or render them: timeground synth"))
