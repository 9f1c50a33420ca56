"""What stages note about rows and videos, key by key: the one place that names and types these keys.

``quality``, ``difficulty`` and ``meta`` belong to a row and come in and go out with it; `Facts` belong to a video and
live as long as its run. Where a stage says what it needs and gives, a key is written ``group.name``
(``quality.passes``, ``facts.shots``); ``rows`` stands for the rows themselves.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict, cast

from timeground.data.rows import Row

Pairs = list[list[float]]
"""Spans as they are stored: ``[[start_s, end_s], ...]``."""

PassAnswer = TypedDict("PassAnswer", {"pass": str, "spans": Pairs | None, "absent": bool})
"""One answer of a grounding pass, in seconds of the file; ``spans`` is None where it could not be read."""

AuditNote = TypedDict("AuditNote", {"class": str, "why": str})
"""One thing that the audit found wrong with a row."""


class Agreement(TypedDict):
    """How well the passes agree on a row."""

    spans: Pairs | None
    """The spans of the medoid; None where it could not be read."""
    iou: float
    """Its mean IoU with the other passes."""
    absent: float
    """Share of the passes that say that the event does not happen."""
    agreed: NotRequired[bool]
    """Whether `iou` reaches the recipe's ``min_iou``."""


class Quality(TypedDict, total=False):
    """The keys of ``row.quality``."""

    passes: list[PassAnswer]
    """Every answer of every grounding pass."""
    agreement: Agreement
    asked: dict[str, float]
    """Probabilities of "yes" to the audit's questions, by question."""
    evidence: dict[str, float]
    """What passes and judge say of the row's spans, and the ``doubt`` that it comes to."""
    audit: list[AuditNote]
    direction_by: str
    """The model that judged the direction, or why none could."""


class Difficulty(TypedDict, total=False):
    """The keys of ``row.difficulty``, beside ``pass@1`` and ``pass@k``."""

    ious: list[float]
    """Set IoU of each rollout with the row's spans."""
    mean_iou: float
    spread: float
    """Standard deviation of `ious`."""
    blind_iou: float
    """Set IoU of the answer to grey frames."""
    blind_solvable: bool


class CoverageFact(TypedDict):
    """How well a video's rows are spread over it."""

    covered: float
    """Share of the video that the spans cover."""
    reach: float
    """Share of the video between the first start and the last end."""
    flag: NotRequired[str]
    """Why that is too little."""


class Facts(TypedDict, total=False):
    """What stages found out about a video."""

    out: str
    """The stage that dropped the whole video."""
    tokens: int
    """Tokens that models wrote about the video."""
    duration_s: float
    fps: float
    width: int
    height: int
    has_audio: bool
    fingerprint: str
    """Difference hashes of some frames, as hexadecimal text."""
    shots: Pairs
    events: Pairs
    """What lies between two borders of events, where there are no cuts."""
    segments: Pairs
    """Shots or events joined or cut to a length that a model can look at closely."""
    coverage: CoverageFact
    propose_more: bool
    """The next stage `propose` is to list more events."""
    samples: list[dict[str, Any]]
    """Training samples, one for each window; see the stage `samples`."""


def quality(row: Row) -> Quality:
    """Return ``row.quality`` with the types of its keys."""
    return cast(Quality, row.quality)


def difficulty(row: Row) -> Difficulty:
    """Return ``row.difficulty`` with the types of its keys."""
    return cast(Difficulty, row.difficulty)


def has_key(row: Row, key: str) -> bool:
    """Return whether a row holds a key such as ``quality.passes``; facts are a video's, so no row holds one."""
    group, _, name = key.partition(".")
    return key == "rows" or (group in ("quality", "difficulty", "meta") and name in getattr(row, group))


def note(row: Row, stage: str, what: str, why: str, prompt: str | None = None) -> None:
    """Add a line to a row's history. prompt: ``name@version`` of the prompt that the change rests on."""
    row.history.append({"stage": stage, "what": what, "why": why, **({"prompt": prompt} if prompt else {})})
