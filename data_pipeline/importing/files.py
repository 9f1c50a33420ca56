"""Which reader reads a file: by its name, by its content, or the user's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from timeground.data.row_checks import shown
from timeground.errors import UserError
from timeground.named import imported

from .elan import read_elan
from .json_files import read_json, read_jsonl, records_of
from .record import Place, Read, Refused
from .subtitles import read_subtitles
from .tables import read_csv, read_dataset, read_parquet

READERS: dict[str, Callable[[Path], Read]] = {
    "jsonl": read_jsonl,
    "json": read_json,
    "csv": read_csv,
    "parquet": read_parquet,
    "dataset": read_dataset,
    "subtitles": read_subtitles,
    "elan": read_elan,
}
ENDINGS = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet",
    ".srt": "subtitles", ".vtt": "subtitles", ".eaf": "elan",
}  # fmt: skip
OF_DATASET = ("dataset_dict.json", "dataset_info.json", "state.json")


def format_of(path: Path, chosen: str | None) -> str:
    """Return the format of a file. Raise UserError if it is not there, or its name says none."""
    if not path.exists():
        raise UserError(f"{path}: no such file; name the file with the annotations")
    if chosen is not None:
        return chosen
    if path.is_dir():
        if any((path / name).is_file() for name in OF_DATASET):
            return "dataset"
        raise UserError(f"{path}: a folder that datasets did not save; name the files in it")
    kind = ENDINGS.get(path.suffix.lower())
    if kind is None:
        raise UserError(
            f"{path}: a name that says no format; name one with --format ({', '.join(READERS)}), or read it by --reader"
        )
    return kind


def read_file(path: Path, kind: str, columns: list[str]) -> Read:
    """Yield what a file holds. columns: names for a table without a header."""
    return read_csv(path, columns) if kind == "csv" else READERS[kind](path)


def own_reader(name: str) -> Callable[[Path], Read]:
    """Return a user's reader: ``file.py:function`` or ``package.module:function``, which yields a dict an annotation.

    It is given the path of each file. It is the user's own code, and runs because the user names it.
    """
    found = imported(name, "--reader", READERS)
    if not callable(found):
        raise UserError(f"--reader {name}: not a function; give one that takes a path and yields dicts")

    def read(path: Path) -> Read:
        number = 0
        try:
            for number, entry in enumerate(_entries(found(path), name), start=1):
                place = Place(str(path), number)
                if isinstance(entry, dict):
                    yield from records_of(place, entry)
                else:
                    yield Refused(place, f"the reader gave no dict, but {shown(entry)}")
        except UserError:
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise UserError(f"--reader {name}: failed on {path} after {number} entries ({what})") from error

    return read


def _entries(found: Any, name: str) -> Iterable[Any]:
    if not isinstance(found, Iterable) or isinstance(found, str | bytes | dict):
        raise UserError(f"--reader {name}: gave {shown(found)}; it has to yield, or return a list of, dicts")
    return found
