"""Tasks: declarations from YAML, rows from disk, and the seam to everything else.

A ``Task`` gives its rows, the prompt of a row, and ``score(predictions)``; who made the predictions does not matter.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from timeground.chat.prompts import PromptSet, row_prompt
from timeground.cli.recipes import load_yaml
from timeground.data import formats
from timeground.data.rows import Row
from timeground.errors import UserError

from .reading import Prediction
from .score import score
from .scores import Scores
from .task_spec import TaskSpec

SHIPPED = Path(__file__).parent / "tasks.yaml"
SHOW_WHEN = (
    "\nThen say when the video shows it, in seconds. "
    "Answer in the form: <answer>letter</answer><time>start - end</time>"
)
"""What a question with options is followed by where the answer must be shown."""


@dataclass(frozen=True)
class Task:
    """A declaration with its rows."""

    spec: TaskSpec
    rows: list[Row]
    video_root: Path
    """The folder that the rows' videos are relative to."""

    def wording(self, prompts: PromptSet) -> PromptSet:
        """Return how rows are worded: as a model's own prompts do, and what the task asks beside."""
        if self.spec.answer != "grounded_choice":
            return prompts
        return dataclasses.replace(prompts, choice=prompts.choice + SHOW_WHEN)

    def prompt(self, row: Row, prompts: PromptSet) -> str:
        """Return what a model is asked for a row. Raise UserError if the row lacks its options."""
        if self.spec.answer in ("choice", "grounded_choice") and not row.options:
            raise UserError(f"task {self.spec.name}, row {row.id}: the file has no options; get the copy that has them")
        return row_prompt(self.wording(prompts), row)

    def score(self, predictions: Mapping[str, Prediction]) -> Scores:
        """Score all rows by both protocols; predictions by row id. Raise UserError if the rows have no ground truth."""
        return score(self.spec, self.rows, predictions)


def read_specs(include_path: Path | None = None) -> dict[str, TaskSpec]:
    """Return the tasks that ship and those of a YAML file, or of every ``*.yaml`` of a folder; the user's own win."""
    files = [SHIPPED]
    if include_path is not None:
        files += sorted(include_path.glob("*.y*ml")) if include_path.is_dir() else [include_path]
        if len(files) == 1:
            raise UserError(f"{include_path}: no *.yaml in this folder; put the task's declaration there")
    return {spec.name: spec for file in files for spec in _specs_of(file)}


def get_spec(name: str, include_path: Path | None = None) -> TaskSpec:
    """Return the declaration of a task. Raise UserError, which lists the names there are, for an unknown one."""
    specs = read_specs(include_path)
    if name not in specs:
        near = difflib.get_close_matches(name.lower(), specs, n=1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise UserError(f"unknown task {name!r}; {meant}there are: {', '.join(specs)}")
    return specs[name]


def load_task(spec: TaskSpec, *, data: Path | None = None, annotations: Path | None = None, split: str = "") -> Task:
    """Return a task with its rows, read from ``annotations`` (file or folder), else from its folder below ``data``.

    Raise UserError, which says in one line what is missing and where to get it.
    """
    folder = Path(spec.folder)
    root = annotations or (_below(data, folder) if data is not None else folder if folder.is_absolute() else None)
    if root is None or (annotations is not None and not root.exists()):
        given = f"{annotations}: no such file or folder" if annotations else f"task {spec.name}: no data given"
        raise UserError(f"{given}; give --annotations FILE, or --data ROOT with the folder {spec.folder}/ in it")
    rows = [row for row in _rows(spec, root, split or spec.split) if _fits(row, spec)]
    if not rows:
        raise UserError(f"{root}: no row that task {spec.name} can use ({spec.answer}); check the file")
    return Task(spec, rows, (root.parent if root.is_file() else root) / spec.videos)


def _below(data: Path, folder: Path) -> Path:
    """Return the task's folder, in whatever case its name is written where it is not there as named."""
    named = data / folder
    if named.exists() or len(folder.parts) != 1 or not data.is_dir():
        return named
    return next((path for path in sorted(data.iterdir()) if path.name.lower() == folder.name.lower()), named)


def _rows(spec: TaskSpec, root: Path, split: str) -> Iterator[Row]:
    if not spec.reader.endswith(".py"):
        return formats.read(spec.reader, root, split or None)
    file = Path(spec.reader)
    module_spec = importlib.util.spec_from_file_location(f"timeground_reader_{file.stem}", file)
    if module_spec is None or module_spec.loader is None or not file.is_file():
        raise UserError(f"task {spec.name}: {file} cannot be loaded; name a Python file with read(root, split)")
    module = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(module)
    rows: Iterator[Row] = module.read(root, split)
    return rows


def _fits(row: Row, spec: TaskSpec) -> bool:
    """Return whether a row asks what the task asks; a file of ours can mix kinds."""
    if spec.reader != "rows":
        return True
    if spec.answer == "grounded_choice":
        return row.task == "choice" and bool(row.spans)
    return row.task == spec.answer


def _specs_of(file: Path) -> list[TaskSpec]:
    try:
        content = load_yaml(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: not YAML ({' '.join(str(error).split())})") from error
    return [_spec(file, entry) for entry in (content if isinstance(content, list) else [content])]


_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "thresholds": (tuple, "list"), "groups": (tuple, "list"), "nms": ((int, float), "number"),
}  # fmt: skip
"""What a key of a declaration must be; a text where it is not named."""


def _spec(file: Path, entry: Any) -> TaskSpec:
    """Return one declaration; paths in a user's file are relative to it."""
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise UserError(f"{file}: a task must be a mapping with a 'name'")
    known = {field.name: field for field in dataclasses.fields(TaskSpec)}
    if unknown := sorted(str(key) for key in entry if key not in known):
        raise UserError(
            f"{file}: task {entry['name']}: unknown key {', '.join(unknown)}; there are: {', '.join(known)}"
        )
    values: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in entry.items()}
    for key, value in values.items():
        wanted, words = _KINDS.get(key, (str, "text"))
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise UserError(f"{file}: task {entry['name']}: {key} must be a {words}")
    if str(values.get("reader", "")).endswith(".py"):
        values["reader"] = str(file.parent / values["reader"])
    if file != SHIPPED and (file.parent / values.get("folder", "")).exists() and values.get("folder"):
        values["folder"] = str((file.parent / values["folder"]).resolve())
    try:
        return TaskSpec(**values)
    except UserError as error:
        raise UserError(f"{file}: {error}") from error
