"""Numbers that papers print, to stand beside one's own: ``published.yaml``, each with its source and protocol."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

FILE = Path(__file__).parent / "published.yaml"


@dataclass(frozen=True)
class Published:
    """What a source prints about a model on one task, in percent."""

    model: str
    metrics: dict[str, float]
    source: str
    protocol: str


@cache
def published(task: str) -> tuple[Published, ...]:
    """Return what is known of a task; empty where nothing is."""
    entries = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return tuple(
        Published(entry["model"], entry["tasks"][task], entry["source"], entry["protocol"])
        for entry in entries
        if task in entry["tasks"]
    )
