"""The data row, and files of rows: JSONL or Parquet in and out, streaming, every problem with its line.

One row is one question about one video. In files its keys are those of ``Row``; spans are ``[start, end]``
pairs in seconds of the file's own clock. A row is checked strictly when it is read and again before it is
written, so a file that ``write_rows`` wrote is a file that ``read_rows`` accepts.
"""

from __future__ import annotations

import importlib
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from timeground.data.row_checks import CHECKS, Direction, contradictions, key_problems, shown
from timeground.data.video_paths import resolve_video as resolve_video
from timeground.errors import UserError
from timeground.files.json_text import dump_json
from timeground.files.whole_files import writing
from timeground.spans import Span, mirror_all, shifted

NOTHING_ASKED = "query is empty; write the sentence to find, or give a question"
Task = Literal["ground", "choice", "yes_no", "events", "open"]


@dataclass(slots=True)
class Row:
    """One line of a dataset."""

    id: str
    """Unique in its file."""
    video: str
    """Path relative to the video root."""
    duration: float
    """Of the whole file, in seconds."""
    query: str = ""
    """What to find."""
    spans: list[Span] = field(default_factory=list)
    """When it happens; none: it does not."""
    window: Span | None = None
    """Only this part of the file is meant."""
    direction: Direction = "unknown"
    """Whether the query tells time's direction (ArrowGEV)."""
    mirrored_query: str | None = None
    """The query for the video played backwards."""
    source: str = ""
    """The dataset it comes from."""
    meta: dict[str, Any] = field(default_factory=dict)
    question: str | None = None
    """Video question answering, with `options` and `answer`."""
    options: list[str] | None = None
    answer: str | None = None
    """An option letter, "yes" or "no", or text."""
    quality: dict[str, Any] = field(default_factory=dict)
    """What the pipeline measured, as `difficulty`."""
    difficulty: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    """Which stage changed what, and why."""

    @property
    def task(self) -> Task:
        """Return what is asked: "choice", "yes_no", "events" (``meta["events"]`` lists them), "open" or "ground"."""
        if self.options:
            return "choice"
        if self.question and (self.answer or "").strip().lower() in ("yes", "no"):
            return "yes_no"
        if "events" in self.meta:
            return "events"
        return "open" if self.question and self.answer else "ground"

    @property
    def extent(self) -> Span:
        """Return the part of the file that is meant: its window, else all of it."""
        return self.window or Span(0.0, self.duration)

    def told_from(self, origin_s: float) -> Row:
        """Return the row in the seconds of a model that calls this second of the file 0."""
        if not origin_s:
            return self
        (window,) = shifted([self.window], -origin_s) if self.window else (None,)
        meta = self.meta
        if "events" in meta:
            times = [(start_s - origin_s, end_s - origin_s) for start_s, end_s in (e["span"] for e in meta["events"])]
            events = [event | {"span": list(span)} for event, span in zip(meta["events"], times, strict=True)]
            meta = meta | {"events": events}
        return replace(self, spans=shifted(self.spans, -origin_s), window=window, meta=meta)

    @property
    def folder_fps(self) -> float | None:
        """Return pictures a second of a video that is a folder, by ``meta["folder_fps"]``; None: nothing is known."""
        said = self.meta.get("folder_fps")
        return float(said) if isinstance(said, int | float) and said > 0 else None

    def mirrored(self) -> Row:
        """Return the row as it is true of the video played backwards: spans mirrored in the part that is meant."""
        return replace(self, spans=mirror_all(self.spans, self.extent.start_s, self.extent.end_s))

    @classmethod
    def from_json(cls, obj: object) -> Row:
        """Return the row of a decoded JSON object.

        Raise UserError, which says which key, what is wrong, and what to do.
        """
        if problems := _shape_problems(obj):
            raise UserError(problems[0])
        assert isinstance(obj, dict)
        row = cls(**{key: CHECKS[key](key, value) for key, value in obj.items()})
        if not row.query.strip() and row.question is None and row.task != "events":
            raise UserError(NOTHING_ASKED)
        return row

    def to_json(self) -> dict[str, Any]:
        """Return the row as a JSON object with every key, spans as ``[start, end]``."""
        obj = {f.name: getattr(self, f.name) for f in fields(self)}
        obj["spans"] = [span.to_list() for span in self.spans]
        obj["window"] = self.window.to_list() if self.window else None
        return obj


def row_problems(obj: object) -> list[str]:
    """Return all for which `Row.from_json` would refuse an object, and what would mend it; empty for a row."""
    found = _shape_problems(obj)
    if not isinstance(obj, dict):
        return found
    found += [problem for key, value in obj.items() if key in CHECKS for problem in key_problems(key, value)]
    if not found:
        try:
            Row.from_json(obj)
        except UserError as error:
            found.append(str(error))
    elif not any(obj.get(key) for key in ("query", "question", "meta")):
        found.append(NOTHING_ASKED)
    return found


def _shape_problems(obj: object) -> list[str]:
    """Return which keys of an object a row does not know, and which it lacks."""
    if not isinstance(obj, dict):
        return [f"a row must be a JSON object, got {shown(obj)}"]
    unknown = sorted(str(key) for key in obj if key not in CHECKS)
    found = (
        [f"unknown key {', '.join(unknown)}{_meant(unknown, obj)}; put what is your own into 'meta'"] if unknown else []
    )
    missing = [key for key in ("id", "video", "duration") if key not in obj]
    return found + ([f"key {', '.join(missing)} is missing; add it"] if missing else [])


def _meant(unknown: list[str], obj: dict[str, Any]) -> str:
    """Return which keys may be meant by unknown ones, for people."""
    free = [key for key in CHECKS if key not in obj]
    near = [f"{close[0]} by {key}" for key in unknown if (close := get_close_matches(key, free, 1))]
    return f" (did you mean {', '.join(near)}?)" if near else ""


def read_rows(path: str | Path, *, root: Path | None = None) -> Iterator[Row]:
    """Stream the rows of a JSONL file, or of a Parquet file (``.parquet``). Blank lines are skipped.

    root: if given, every ``video`` must stay inside it (the file itself is not looked for).
    Raise UserError at the first bad line: ``file:line: what is wrong, what to do``.
    """
    _refuse_missing(Path(path))
    return _only_rows(_scan(Path(path), root))


def check_rows(path: str | Path, *, root: Path | None = None) -> list[str]:
    """Return all that `read_rows` would refuse in a file, one line each with its place; empty if that is nothing."""
    _refuse_missing(Path(path))
    return [problem for _, found in _scan(Path(path), root) if isinstance(found, list) for problem in found]


def scan_rows(path: str | Path, *, root: Path | None = None) -> Iterator[tuple[Row | None, list[str]]]:
    """Yield each row of a file with its keys that contradict each other; None and the reasons for a line that is none.

    One line for each problem, with its place. See `row_checks.contradictions`.
    """
    _refuse_missing(Path(path))
    for number, found in _scan(Path(path), root):
        place = f"{path}:{number}"
        if isinstance(found, list):
            yield None, found
        else:
            yield found, [f"{place}: row {shown(found.id)}: {problem}" for problem in contradictions(found)]


def write_rows(path: str | Path, rows: Iterable[Row]) -> int:
    """Write rows as JSONL, or Parquet if the name ends so, and return how many.

    The file appears whole or not at all: it is written beside its place and then moved there. Raise
    UserError for a row that ``read_rows`` would refuse.
    """
    path = Path(path)
    objects = _checked_objects(path, rows)
    with writing(path) as part:
        return (_write_parquet if path.suffix == ".parquet" else _write_jsonl)(part, objects)


def _refuse_missing(path: Path) -> None:
    """Raise UserError unless the path is a file."""
    if not path.is_file():
        raise UserError(f"{path}: {'is a folder' if path.is_dir() else 'no such file'}; give a JSONL or Parquet file")


def _only_rows(found: Iterator[tuple[int, Row | list[str]]]) -> Iterator[Row]:
    """Yield the rows, up to the first problem, which is raised."""
    for _, row in found:
        if isinstance(row, list):
            raise UserError(row[0])
        yield row


def _scan(path: Path, root: Path | None) -> Iterator[tuple[int, Row | list[str]]]:
    """Yield every line of a file, by its number, as a row or as messages that say all that is wrong with it."""
    line_of_id: dict[str, int] = {}
    for number, decoded in (_parquet_objects if path.suffix == ".parquet" else _jsonl_objects)(path):
        try:
            if isinstance(decoded, UserError):
                raise decoded
            row = Row.from_json(decoded)
            if row.id in line_of_id:
                raise UserError(f"id {shown(row.id)} is already on line {line_of_id[row.id]}; make ids unique")
            line_of_id[row.id] = number
            if root is not None:
                resolve_video(root, row.video, follow_links=True)  # a link out fails its video only
            yield number, row
        except UserError as error:
            all_of_it = [] if isinstance(decoded, UserError) else row_problems(decoded)
            yield number, [f"{path}:{number}: {problem}" for problem in all_of_it or [str(error)]]
        except RecursionError:
            yield number, [f"{path}:{number}: nested too deeply"]


def _jsonl_objects(path: Path) -> Iterator[tuple[int, object]]:
    """Yield line numbers with decoded JSON, or with the error where a line is not JSON."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield number, json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
            except UnicodeDecodeError:
                yield number, UserError("not UTF-8; save the file as UTF-8")
            except json.JSONDecodeError as error:
                yield (
                    number,
                    UserError(f"not JSON ({error.msg} at column {error.colno}); put one object on each line"),
                )
            except (ValueError, RecursionError) as error:  # a number of too many digits, too many brackets
                yield number, UserError(f"not usable JSON ({error}); put one object on each line")


def _checked_objects(path: Path, rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
    """Yield JSON objects of rows, each one read back first so that nothing is written that cannot be read."""
    ids: set[str] = set()
    for number, row in enumerate(rows, start=1):
        try:
            obj = row.to_json()
            Row.from_json(obj)
            if row.id in ids:
                raise UserError(f"id {shown(row.id)} is there twice; make ids unique")
            dump_json(obj, allow_nan=False)
            if path.suffix == ".parquet":
                json.dumps(obj, ensure_ascii=False).encode()  # Arrow's texts are UTF-8, without escapes
        except UserError as error:
            raise UserError(f"{path}: row {number}: {error}") from error
        except (TypeError, ValueError, RecursionError) as error:
            kind = "Parquet" if path.suffix == ".parquet" else "JSON"
            raise UserError(f"{path}: row {number}: cannot be stored as {kind}: {error}") from error
        ids.add(row.id)
        yield obj


def _write_jsonl(path: Path, objects: Iterator[dict[str, Any]]) -> int:
    """Write one object a line; returns how many."""
    num_rows = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for obj in objects:
            file.write(dump_json(obj) + "\n")
            num_rows += 1
    return num_rows


_JSON_COLUMNS = ("meta", "quality", "difficulty", "history")
_PARQUET_BATCH = 1024


def _pyarrow(module: str) -> Any:
    """Return a module of pyarrow. Raise UserError if it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError("Parquet files need pyarrow; install it (pip install pyarrow) or use JSONL") from error


def _parquet_objects(path: Path) -> Iterator[tuple[int, object]]:
    """Yield row numbers with the rows of a Parquet file; free-form columns are JSON text in it."""
    parquet = _pyarrow("pyarrow.parquet")
    number = 0
    try:
        for batch in parquet.ParquetFile(path).iter_batches(batch_size=_PARQUET_BATCH):
            for cells in batch.to_pylist():
                number += 1
                yield number, from_cells(cells)
    except (OSError, ValueError) as error:  # pyarrow's own errors are ValueErrors
        yield number + 1, UserError(f"not readable as Parquet ({error}); write it again")


def from_cells(cells: dict[str, Any]) -> object:
    """Return a row's JSON object from a Parquet row, or the error where a column of JSON text holds none."""
    obj = dict(cells)
    try:
        for key in _JSON_COLUMNS:
            if isinstance(obj.get(key), str):
                obj[key] = json.loads(obj[key])
    except (ValueError, RecursionError) as error:
        return UserError(f"column {key} does not hold JSON ({error})")
    return obj


def to_cells(obj: dict[str, Any]) -> dict[str, Any]:
    """Return a row's JSON object as a Parquet row: what has no fixed shape becomes JSON text."""
    return obj | {key: dump_json(obj[key]) for key in _JSON_COLUMNS}


def _write_parquet(path: Path, objects: Iterator[dict[str, Any]]) -> int:
    """Write objects in batches with a fixed schema; returns how many."""
    arrow, parquet = _pyarrow("pyarrow"), _pyarrow("pyarrow.parquet")
    pair = arrow.list_(arrow.float64())
    special = {"duration": arrow.float64(), "spans": arrow.list_(pair), "window": pair}
    special["options"] = arrow.list_(arrow.string())
    schema = arrow.schema([(f.name, special.get(f.name, arrow.string())) for f in fields(Row)])
    num_rows = 0
    with parquet.ParquetWriter(path, schema) as writer:
        while batch := [to_cells(obj) for obj in itertools.islice(objects, _PARQUET_BATCH)]:
            writer.write_table(arrow.Table.from_pylist(batch, schema=schema))
            num_rows += len(batch)
    return num_rows
