"""What a run was asked for; a folder is not gone on with under other settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from timeground.errors import UserError
from timeground.records import Row

Probe = Literal["reversed", "shuffled", "static", "blank", "other-video"]
PROBES: tuple[str, ...] = get_args(Probe)
ChoiceBy = Literal["letter", "logprob"]


@dataclass(frozen=True)
class RunSettings:
    """A run. choice_by: an option is chosen by the letter that is said, or by the more likely letter.

    num_samples: answers to each row beside the greedy one, for pass@k, at `temperature`.
    limit: only the first rows of each task. skip_missing: rows without a video are left out, not failed.
    """

    model: str
    tasks: tuple[str, ...]
    profile: str | None = None
    overrides: dict[str, Any] = field(default_factory=dict)
    data: str | None = None
    include_path: str | None = None
    limit: int | None = None
    probes: tuple[str, ...] = ()
    choice_by: ChoiceBy = "letter"
    num_samples: int = 0
    temperature: float = 1.0
    skip_missing: bool = False
    max_new_tokens: int | None = None

    def __post_init__(self) -> None:
        """Refuse unknown probes and numbers out of range."""
        if unknown := [name for name in self.probes if name not in PROBES]:
            raise UserError(f"--probe {unknown[0]}: there are {', '.join(PROBES)}")
        for name, value in (("--limit", self.limit), ("--samples", self.num_samples + 1)):
            if value is not None and value < 1:
                raise UserError(f"{name} must be a positive number")
        if len(set(self.tasks)) < len(self.tasks):
            raise UserError("--tasks: a task is named twice")


def keep_settings(folder: Path, settings: RunSettings, fingerprints: dict[str, str]) -> None:
    """Write the settings into a new run's folder; UserError if a run with others, or on other data, lies there."""
    text = json.dumps({**asdict(settings), "data_fingerprints": fingerprints}, indent=2) + "\n"
    file = folder / "settings.json"
    if file.is_file() and (there := file.read_text(encoding="utf-8")) != text:
        old, new = json.loads(there), json.loads(text)
        changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        raise UserError(
            f"{folder} holds a run with other settings ({', '.join(changed)}); choose another --output_path, "
            "or remove the folder to start anew"
        )
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def fingerprint(rows: Sequence[Row]) -> str:
    """What tells one set of rows from another."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row.to_json(), sort_keys=True, ensure_ascii=False).encode())
    return digest.hexdigest()[:16]
