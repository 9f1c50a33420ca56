"""Tables that the Hub publishes as Parquet and people convert: Parquet, JSON list or JSONL, read alike."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timeground.data.formats.files import read_json, read_jsonl
from timeground.errors import UserError


def table_names(split: str) -> tuple[str, ...]:
    """Return under which names the table of a split is looked for."""
    names = (f"{split}-00000-of-00001.parquet", f"{split}.parquet", f"{split}.jsonl", f"{split}.json")
    return (*names, *(f"data/{name}" for name in names))


def read_table(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield row numbers (from 1) with the columns of each row. Raise UserError if the file cannot be read."""
    if path.suffix == ".parquet":
        yield from _read_parquet(path)
    elif path.suffix == ".jsonl":
        yield from read_jsonl(path)
    else:
        yield from enumerate(read_json(path), start=1)


def _read_parquet(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise UserError(f"{path}: Parquet needs pyarrow; install it (pip install pyarrow)") from error
    number = 0
    try:
        for batch in parquet.ParquetFile(path).iter_batches():
            for cells in batch.to_pylist():
                number += 1
                yield number, cells
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not readable as Parquet ({error}); download it again") from error
