"""Predictions made by anything: our JSONL, TimeLens's result file, lmms-eval samples, submissions of benchmarks.

``read_predictions`` tells the format from the file itself and says which row each prediction answers. Our own format is
JSONL, one object a line: ``id`` (of the row) and ``text`` (the reply) or ``spans`` (``[[start, end], ...]`` seconds, or
``[start, end, score]``) or ``answer`` (option letter, yes or no), and for highlights ``saliency``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from timeground.data.rows import Row
from timeground.errors import UserError

from .formats import recognise
from .matching import RowIndex
from .reading import Prediction


@dataclass(slots=True)
class PredictionSet:
    """Predictions by row id, and what was found on the way."""

    by_row: dict[str, Prediction] = field(default_factory=dict)
    formats: list[str] = field(default_factory=list)
    """Of each file."""
    unmatched: list[str] = field(default_factory=list)
    """Predictions that answer no row of the benchmark."""


def read_predictions(paths: Sequence[Path], rows: Sequence[Row]) -> PredictionSet:
    """Return the predictions of one or several files for the rows of a benchmark; later files add to earlier ones.

    Raise UserError for a file that cannot be read, is of no known format, or answers no row at all.
    """
    index, found = RowIndex(rows), PredictionSet()
    for path in paths:
        content = _decoded(path)
        name, entries = recognise(path, content)
        found.formats.append(name)
        matched = 0
        for address, prediction in entries:
            ids = index.find(address)
            matched += len(ids)
            if not ids:
                found.unmatched.append(str(address))
            for row_id in ids:
                found.by_row[row_id] = found.by_row.get(row_id, Prediction()).merged(prediction)
        if not matched:
            hint = f"the first is {found.unmatched[0]!r}" if found.unmatched else "it is empty"
            raise UserError(f"{path}: no prediction answers a row of this task ({name}; {hint}); check --task")
    return found


def _decoded(path: Path) -> Mapping[str, Any] | list[tuple[int, dict[str, Any]]]:
    """Return a JSON object, or the objects of a JSON list or JSONL file with their numbers from 1."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); give a JSON or JSONL file") from error
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        whole = None
    if isinstance(whole, dict) and not _is_single_record(whole):
        return whole
    listed = enumerate(whole, start=1) if isinstance(whole, list) else _lines(path, text)
    objects = list(listed)
    for number, entry in objects:
        if not isinstance(entry, dict):
            raise UserError(f"{path}:{number}: a prediction must be a JSON object, got {str(entry)[:60]}")
    return objects


def _is_single_record(whole: dict[str, Any]) -> bool:
    """Return True for a JSONL file of one line, whose object is a prediction and not a table of them."""
    return any(isinstance(whole.get(key), str | int) for key in ("id", "qid", "query_id", "doc_id"))


def _lines(path: Path, text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                raise UserError(f"{path}:{number}: not JSON ({error}); put one object on each line") from error
