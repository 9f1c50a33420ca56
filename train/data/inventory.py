"""An inventory of the rows and videos that a run will need, before its first step; `train check` shares it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from timeground.data.clip_shards import INDEX, read_index
from timeground.data.row_checks import contradictions, shown
from timeground.data.rows import Row, Task, scan_rows
from timeground.data.video_checks import FileProblems, against_files, contradicted
from timeground.errors import UserError

from ..config import DataSettings, GrpoSettings, RunSettings
from ..rewards import never_counting
from .scenes import ROW_KINDS
from .sources import grouped, pass_order


@dataclass
class Part:
    """Rows to train on, or to validate on."""

    name: str
    """That of their file."""
    rows: list[Row]
    needed: list[Row] = field(default_factory=list)
    """Rows that the run will come to."""
    files: dict[str, Path] = field(default_factory=dict)
    """The file of each video that is needed."""
    wrong: dict[str, str] = field(default_factory=dict)
    """Rows, by id, that contradict themselves or their video, each with a line."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Videos that cannot be read, and why."""

    @property
    def unusable(self) -> list[tuple[Row, str]]:
        """Return rows whose video cannot be read, and why."""
        return [(row, self.unreadable[row.video]) for row in self.rows if row.video in self.unreadable]

    @property
    def none_is_left(self) -> bool:
        """Return whether no video that is needed can be read."""
        return bool(self.needed) and all(row.video in self.unreadable for row in self.needed)


@dataclass
class Looked:
    """What was found."""

    training: Part | None = None
    validation: Part | None = None
    left_out: list[str] = field(default_factory=list)
    """Ids of rows to train without, as the recipe wants it."""
    remarks: list[str] = field(default_factory=list)
    """What is legal but hardly meant; one line each."""

    @property
    def parts(self) -> dict[str, Part]:
        """Return those parts that there are, by name."""
        named = {"training": self.training, "validation": self.validation}
        return {name: part for name, part in named.items() if part is not None}


def look_at_data(settings: RunSettings, processes: int) -> Looked:
    """Look at a recipe's rows and their videos.

    Raise UserError for rows to train on that contradict themselves or their files (unless the recipe leaves them out),
    and for anything wrong with what is validated on. Videos to train on that cannot be read are only listed: a run goes
    on without them.
    """
    data, found = settings.data, Looked()
    if data.validation_rows is not None and settings.validate_every:
        found.validation = _validation(settings, data.validation_rows)
    if data.synth_seed is not None:
        found.remarks = _unmet_rows(settings, "SynthMoments", {*get_args(Task), *ROW_KINDS})
        return found
    found.training = part = _samples(data) if data.samples is not None else _rows(data.rows or "")
    part.needed = _first(part.rows, settings, None if data.leave_out_bad_rows else settings.clips_needed(processes))
    _look_at_files(part, data, data.samples)
    if data.leave_out_bad_rows:
        found.left_out = list(part.wrong)
        if len(found.left_out) == len(part.rows):
            raise _refusal(part, "data", "", data)
    elif part.wrong:
        raise _refusal(part, "data", ", or set data.leave_out_bad_rows to train without them", data)
    kinds = {str(row.meta["kind"]) for row in part.rows if "kind" in row.meta}
    found.remarks = _unmet_rows(settings, part.name, kinds | {row.task for row in part.rows})
    return found


def _unmet_rows(settings: RunSettings, data: str, known: set[str]) -> list[str]:
    """Return a line for each name in a reward's `rows` that the data do not have. known: their tasks and kinds."""
    return never_counting(settings.rewards, known, data) if isinstance(settings, GrpoSettings) else []


def _rows(file: str) -> Part:
    """Return a file of rows, the first line that is none refused."""
    part = Part(file, [])
    for row, problems in scan_rows(Path(file)):
        if row is None:
            raise UserError(problems[0])
        part.rows.append(row)
        if problems:
            part.wrong[row.id] = problems[0]
    if not part.rows:
        raise UserError(f"{file}: no rows to train on")
    return part


def _samples(data: DataSettings) -> Part:
    """Return the rows of a folder of samples."""
    folder = Path(data.samples or "")
    held = read_index(folder)
    rows = [row for sample in held for row in sample.rows]
    part = Part(str(folder / INDEX), rows, files={sample.video: folder / sample.shard for sample in held})
    for sample in held:
        for row in sample.rows:
            if problem := next(iter(contradictions(row)), None) or contradicted(row, sample.duration_s):
                part.wrong[row.id] = f"{part.name}: row {shown(row.id)}: {problem}"
    return part


def _validation(settings: RunSettings, file: str) -> Part:
    """Return what is validated on: every row and video of it must be right, or numbers could not be compared."""
    part = _rows(file)
    part.needed = _first(part.rows, settings, settings.validate_videos)
    if not any(row.task == "ground" for row in part.needed):
        raise UserError(f"data.validation_rows: {file} has no row that asks when; validation is by spans")
    _look_at_files(part, settings.data, None)
    if part.wrong:
        raise _refusal(part, "data.validation_rows", "", settings.data)
    for video, reason in part.unreadable.items():
        raise UserError(f"data.validation_rows: {file}: video {video!r} cannot be read: {reason}")
    return part


def _first(rows: Sequence[Row], settings: RunSettings, clips: int | None) -> list[Row]:
    """Return the rows of the first so many clips in the order of a run; all if they come to that."""
    groups = grouped(rows, settings.data.questions_per_video)
    if clips is None or clips >= len(groups):
        return list(rows)
    return [row for place in pass_order(settings.seed, 0, len(groups))[:clips] for row in groups[place]]


def _look_at_files(part: Part, data: DataSettings, samples: str | None) -> None:
    root = Path(data.videos)
    if samples is None:
        found = against_files(part.needed, root, data.follow_links)
        part.files = {row.video: root / row.video for row in part.needed}
    else:
        wanted = {row.video for row in part.needed}
        part.files = {video: file for video, file in part.files.items() if video in wanted}
        gone = {video: f"{file}: no such file" for video, file in part.files.items() if not file.is_file()}
        found = FileProblems(unreadable=gone)
    part.unreadable = found.unreadable
    for name, reason in found.wrong.items():
        part.wrong.setdefault(name, f"{part.name}: row {shown(name)}: {reason}")


def _refusal(part: Part, setting: str, otherwise: str, data: DataSettings) -> UserError:
    """Return one line about the first bad row, and how to see the others."""
    first, others = next(iter(part.wrong.values())), len(part.wrong) - 1
    more = f" ({others} more row{'s' * (others != 1)} like that)" if others else ""
    advice = f"timeground data check {part.name} --videos {data.videos} lists all; mend or remove them"
    if part.name.endswith(INDEX):
        advice = "mend or remove them and export the samples again"
    return UserError(f"{setting}: {first}{more}; {advice}{otherwise}")
