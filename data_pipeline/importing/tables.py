"""CSV, TSV, Parquet and folders of `datasets` as records: one a line."""

from __future__ import annotations

import csv
import importlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from timeground.data.row_checks import shown
from timeground.errors import UserError

from .record import Place, Read, Record, Refused, needs
from .texts import text_lines

DELIMITERS = ("\t", ";", ",", "|")
DECIMAL_COMMA = re.compile(r"\s*-?\d+,\d+\s*")
BATCH = 256


def read_csv(path: Path, columns: Sequence[str] = ()) -> Read:
    """Yield the lines of a CSV or TSV file. columns: their names, where the file has no header.

    The delimiter is the one that comes most often in the first line. Between semicolons, 1,5 is a number.
    """
    lines = text_lines(path)
    first = next(lines, "")
    delimiter = max(DELIMITERS, key=first.count) if first.strip() else ","
    table = csv.reader(_with_first(first, lines), delimiter=delimiter)
    names, after = list(columns), 0
    while True:
        try:
            cells = next(table, None)
        except csv.Error as error:
            yield Refused(Place(str(path), after + 1), f"not readable as CSV ({error})")
            after = table.line_num
            continue
        place, after = Place(str(path), after + 1), table.line_num
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue
        if not names:
            names = _header(path, cells)
        elif len(cells) != len(names):
            yield Refused(
                place, f"{len(cells)} cells, but there are {len(names)} columns; quote texts that hold {delimiter!r}"
            )
        else:
            yield Record(place, dict(zip(names, (_cell(c, delimiter) for c in cells), strict=True)))


def _with_first(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _cell(text: str, delimiter: str) -> str:
    return text.replace(",", ".") if delimiter == ";" and DECIMAL_COMMA.fullmatch(text) else text


def _header(path: Path, cells: list[str]) -> list[str]:
    names = [cell.strip() or f"column {number}" for number, cell in enumerate(cells, start=1)]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError(f"{path}: two columns are called {shown(twice)}; rename one")
    return names


def read_parquet(path: Path) -> Read:
    """Yield the rows of a Parquet file, without columns of bytes; ``line`` is the number of the row."""
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise needs("pyarrow", f"{path}: Parquet") from None
    try:
        file = parquet.ParquetFile(path)
        kept = [field.name for field in file.schema_arrow if not _is_bytes(field.type)]
        yield from _of_batches(str(path), file.iter_batches(BATCH, columns=kept))
    except (OSError, ValueError) as error:  # pyarrow's own errors are ValueErrors
        raise UserError(f"{path}: not readable as Parquet ({' '.join(str(error).split())})") from None


def read_dataset(path: Path) -> Read:
    """Yield the rows of a folder that `datasets` saved (`save_to_disk`), of all its splits; videos are not decoded."""
    try:
        datasets: Any = importlib.import_module("datasets")
    except ImportError:
        raise needs("datasets", f"{path}: a saved dataset") from None
    try:
        found = datasets.load_from_disk(str(path))
        splits = found if isinstance(found, datasets.DatasetDict) else {"": found}
        for split, table in splits.items():
            kept = [field.name for field in table.features.arrow_schema if not _is_bytes(field.type)]
            batches = table.select_columns(kept).with_format("arrow").iter(BATCH)
            yield from _of_batches(str(path / split), batches)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not readable as a saved dataset ({' '.join(str(error).split())})") from None


def _of_batches(file: str, batches: Any) -> Read:
    number = 0
    for batch in batches:
        columns = {name: _values(batch.column(name)) for name in batch.schema.names}
        for i in range(batch.num_rows):
            number += 1
            yield Record(Place(file, number), {name: values[i] for name, values in columns.items()})


def _values(column: Any) -> list[Any]:
    """Return a column as Python values; of a file (its bytes and its path) only the path."""
    if not _holds_file(column.type):
        return list(column.to_pylist())
    chunks = column.chunks if hasattr(column, "chunks") else [column]
    return [path for chunk in chunks for path in chunk.field("path").to_pylist()]


def _is_bytes(kind: Any) -> bool:
    types: Any = importlib.import_module("pyarrow.types")
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind))


def _holds_file(kind: Any) -> bool:
    types: Any = importlib.import_module("pyarrow.types")
    return bool(types.is_struct(kind) and {kind.field(i).name for i in range(kind.num_fields)} == {"bytes", "path"})
