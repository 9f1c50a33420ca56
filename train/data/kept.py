"""What a run began with: each row, each video and the model by their content, to be told when one has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from timeground.data.rows import Row
from timeground.data.video_checks import AT_ONCE
from timeground.errors import UserError
from timeground.files.content_keys import model_contents, video_contents
from timeground.files.whole_files import write_text

from .inventory import Looked

FILE = "data.json"
MISSING = "missing"
SHOWN = 5


def record(looked: Looked, model: str | None) -> dict[str, Any]:
    """Return the contents of all rows, of the videos that the run needs, and of the model that it starts from."""
    files = {str(file): file for part in looked.parts.values() for file in part.files.values()}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        videos = dict(zip(files, pool.map(_contents, files.values()), strict=True))
    rows = {name: {row.id: row_contents(row) for row in part.rows} for name, part in looked.parts.items()}
    weights = {model: model_contents(model)} if model is not None else {}
    return {"rows": rows, "videos": videos, "left_out": looked.left_out, "models": weights}


def row_contents(row: Row) -> str:
    """Return a hash of all that a row says; keys that are empty do not count, so that a release may add some."""
    said = {key: value for key, value in row.to_json().items() if value not in (None, "", [], {})}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]


def keep_data(output: Path, looked: Looked, model: str | None, resumes: bool, accept: bool) -> None:
    """Write down what the data are. Raise UserError if a run that goes on began with others, unless that is accepted.

    model: the checkpoint that the run starts from. Frozen weights and the reference are read from it in every stretch.
    """
    file, now = output / FILE, record(looked, model)
    changed = list(changes(_read(file), now)) if resumes else []
    if changed:
        told = ", ".join(changed[:SHOWN]) + (f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else "")
        if not accept:
            raise UserError(
                f"{output}: the data have changed since this run began: {told}; put them back, or go on with what is "
                "there now with --accept-changed-data"
            )
        print(f"going on with changed data: {told}")
    write_text(file, json.dumps(now))


def left_out(output: Path) -> frozenset[str]:
    """Return ids of rows that the run trains without."""
    return frozenset(_read(output / FILE).get("left_out", ()))


def changes(before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """Yield what is not as it was, by name. What was not looked at before is no change."""
    for part, rows in before.get("rows", {}).items():
        there = now["rows"].get(part, {})
        for name in {**rows, **there}:
            if rows.get(name) != there.get(name):
                what = "is new" if name not in rows else "is gone" if name not in there else "has changed"
                yield f"{part} row {name!r} {what}"
        if set(rows) == set(there) and list(rows) != list(there):
            yield f"the {part} rows are in another order"
    for video, contents in before.get("videos", {}).items():
        if (here := now["videos"].get(video, contents)) != contents:
            what = (
                "is gone" if here == MISSING else "was missing and is there" if contents == MISSING else "has changed"
            )
            yield f"video {video!r} {what}"
    for model, contents in before.get("models", {}).items():
        if contents and now["models"].get(model, contents) not in (contents, ""):
            yield f"model {model!r} has other weights or processor files"


def _contents(file: Path) -> str:
    try:
        return video_contents(file)
    except OSError:
        return MISSING


def _read(file: Path) -> dict[str, Any]:
    """Return what was written down; nothing by runs of earlier releases."""
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found
