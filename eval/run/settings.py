"""What a run was asked for; a folder is not gone on with under other settings."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from timeground.errors import UserError
from timeground.files.content_keys import CODE_VERSION, profile_contents, rows_contents
from timeground.files.whole_files import write_text
from timeground.methods import check_method
from timeground.models.sampling import SampleSpec

from ..tasks import Task

Probe = Literal["reversed", "shuffled", "static", "blank", "other-video"]
PROBES: tuple[str, ...] = get_args(Probe)
ChoiceBy = Literal["letter", "logprob"]


@dataclass(frozen=True)
class RunSettings:
    """A run."""

    model: str
    tasks: tuple[str, ...]
    method: str = "direct"
    """How the model is asked."""
    profile: str | None = None
    overrides: dict[str, Any] = field(default_factory=dict)
    data: str | None = None
    include_path: str | None = None
    limit: int | None = None
    """Only the first rows of each task."""
    probes: tuple[str, ...] = ()
    choice_by: ChoiceBy = "letter"
    """Whether an option is chosen by the letter that is said, or by the likeliest one."""
    num_samples: int = 0
    """Answers to each row beside the greedy one, for pass@k, drawn as `sampled` says."""
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    skip_missing: bool = False
    """Whether rows without a video are left out, not failed."""
    max_new_tokens: int | None = None

    def __post_init__(self) -> None:
        """Refuse unknown probes and numbers out of range; one name is one task, never its letters."""
        for name in ("tasks", "probes", "stop"):
            if isinstance(getattr(self, name), str):
                object.__setattr__(self, name, (getattr(self, name),))
        if unknown := [name for name in self.probes if name not in PROBES]:
            raise UserError(f"--probe {unknown[0]}: there are {', '.join(PROBES)}")
        for name, value in (("--limit", self.limit), ("--samples", self.num_samples + 1)):
            if value is not None and value < 1:
                raise UserError(f"{name} must be a positive number")
        if len(set(self.tasks)) < len(self.tasks):
            raise UserError("--tasks: a task is named twice")
        check_method(self.method)
        _ = self.sampled

    @property
    def greedy(self) -> SampleSpec:
        """Return how the answer that is scored is sampled."""
        return SampleSpec(
            max_new_tokens=self.max_new_tokens, repetition_penalty=self.repetition_penalty, stop=self.stop
        )

    @property
    def sampled(self) -> SampleSpec:
        """Return how further answers are sampled."""
        return replace(
            self.greedy,
            num_answers=max(1, self.num_samples),
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            min_p=self.min_p,
        )


def folder_name(method: str) -> str:
    """Return the folder of a method below the run's; of one's own, its import path as a file can be called."""
    return re.sub(r"[^\w.-]+", ".", method)


def run_facts(settings: RunSettings, tasks: Sequence[Task]) -> dict[str, Any]:
    """Return what a run was made from, the model's content aside: settings, rows by content, our code."""
    rows = {task.spec.name: rows_contents(task.rows) for task in tasks}
    facts = {**json.loads(json.dumps(asdict(settings))), "rows_contents": rows, "code": CODE_VERSION}
    profile = profile_contents(settings.profile)
    return facts | {"profile_contents": profile} if profile else facts


def refuse_others(folder: Path, facts: Mapping[str, Any]) -> None:
    """Raise UserError if a run lies in the folder that was made from anything else than these facts."""
    file = folder / "settings.json"
    if not file.is_file():
        return
    try:
        old = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise UserError(f"{file}: damaged; remove the folder {folder} to start anew") from None
    changed = sorted(_SHOWN.get(name, name) for name in facts if old.get(name) != facts[name])
    if changed:
        raise UserError(
            f"{folder} holds a run with other settings ({', '.join(changed)}); choose another --output_path, "
            "or remove the folder to start anew"
        )


def keep_settings(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write the facts into a new run's folder; raise UserError if a run made from others lies there."""
    refuse_others(folder, facts)
    write_settings(folder, facts)


def write_settings(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write what a run is made from."""
    write_text(folder / "settings.json", json.dumps(facts, indent=2) + "\n")


_SHOWN = {
    "model_contents": "other weights or processor files under the same model name",
    "profile_contents": "other settings in the profile's file",
    "rows_contents": "other rows",
    "code": "made by another version of timeground",
}
