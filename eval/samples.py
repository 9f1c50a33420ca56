"""``samples.jsonl``: one line a row, with what was said, what is true, and what that is worth.

Keys: ``doc_id`` (the row's number), ``id``, ``task``, ``video``, ``text`` (the reply), ``spans`` (what was
understood), ``truth`` (true spans), ``target`` (the right answer), ``iou`` (of the first span), ``correct`` (of a
question), ``failure`` (why nothing was understood), ``outside`` (a span leaves the video, or the window of it that was
asked about), ``origin_s`` (the second of the file that the reply calls 0, if not 0), ``metrics`` (strict metrics in
[0, 1]), ``confidence`` (how sure the method is, from 0 to 1), ``trace`` (its ``looks``: window, frames, visual tokens,
score, number of the look that led to it; and ``num_calls``), and ``filtered_resps``, which is lmms-eval's name for the
reply.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from timeground.errors import UserError
from timeground.files.json_text import dump_json, lines_of
from timeground.files.whole_files import writing

NAME = "samples.jsonl"


@dataclass(frozen=True, slots=True)
class Sample:
    """One row's line; spans are [start, end] in seconds."""

    doc_id: int
    id: str
    task: str
    video: str
    text: str | None = None
    spans: list[list[float]] = field(default_factory=list)
    truth: list[list[float]] = field(default_factory=list)
    target: str | None = None
    iou: float | None = None
    correct: bool | None = None
    failure: str | None = None
    outside: bool = False
    origin_s: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    confidence: float | None = None
    trace: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the line as a JSON object."""
        found = {name: getattr(self, name) for name in self.__slots__}
        return found | {"filtered_resps": [] if self.text is None else [self.text]}


def write_samples(path: Path, samples: Iterable[Sample]) -> None:
    """Write one JSON object a line."""
    with writing(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        for sample in samples:
            file.write(dump_json(sample.to_json()) + "\n")


def read_samples(path: Path) -> list[Sample]:
    """Return samples of a file, or of a folder that ``--output_path`` named: its own, else those of each task in it.

    Raise UserError, which names the line that is none, or says that there is no such file.
    """
    return [sample for file in _sample_files(path) for sample in _read_file(file)]


def _sample_files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = [path / NAME] if (path / NAME).is_file() else sorted(path.glob(f"*/{NAME}"))
    if not files:
        raise UserError(f"{path}: no {NAME} in it or in a task's folder of it; give what --output_path named")
    return files


def _read_file(file: Path) -> list[Sample]:
    try:
        lines = lines_of(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read ({error}); give a {NAME} or its folder") from error
    return [_sample(file, number, line) for number, line in enumerate(lines, start=1) if line.strip()]


def _sample(file: Path, number: int, line: str) -> Sample:
    try:
        entry = json.loads(line)
        known = {name: entry[name] for name in Sample.__slots__ if name in entry}
        metrics = {str(name): float(value) for name, value in entry["metrics"].items()}
        return Sample(**{**known, "id": str(entry["id"]), "video": str(entry["video"]), "metrics": metrics})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}"
        raise UserError(f"{file}:{number}: no sample ({what}); make it with timeground score --output_path") from error
