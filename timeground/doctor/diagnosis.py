"""What the doctor found: one row a check, and how a check's numbers become a verdict. No heavy imports."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["ok", "FAIL", "warning", "refused", "absent", "skipped"]
"""`refused`: a reader declined a file that it would get wrong. `warning`: wrong, but not by our code."""
CLOCK_SLACK_S = 2e-3  # the clock shows whole milliseconds, and containers round to theirs


@dataclass(frozen=True)
class Row:
    """One check."""

    part: str
    what: str
    verdict: Verdict
    error_s: float | None = None
    """Largest difference between the time said and the time shown, where measured."""
    allowed_s: float | None = None
    """What the way of saying it rounds to."""
    note: str = ""


@dataclass(frozen=True)
class Trial:
    """What a model made of the clip that ships."""

    query: str
    prompt: str | None
    """As the model reads it, shortened; None where that is not known here."""
    stamps: str
    """How many times it is told, and which."""
    num_frames: int
    tokens_per_frame: float | None
    memory: str
    seconds: float
    """To read the clip, encode it and answer; the weights were loaded before."""
    answer: str
    true: str
    iou: float
    """Of the answer's spans with the true ones, as sets."""
    notice: str | None
    """What to know before the answer is believed."""


@dataclass
class Report:
    """All that was found."""

    versions: dict[str, str]
    """Of programs and packages, by name."""
    hardware: dict[str, str]
    """Of this machine, by name."""
    model: str | None = None
    rows: list[Row] = field(default_factory=list)
    trial: Trial | None = None

    @property
    def ok(self) -> bool:
        """Return whether no check failed."""
        return all(row.verdict != "FAIL" for row in self.rows)


@dataclass(frozen=True)
class Readings:
    """Times that something says, and the times that the pixels beside them show; NaN where one could not be read."""

    said_s: Sequence[float]
    shown_s: Sequence[float]
    """As many as are said."""
    allowed_s: float
    """Rounding of the way the time is said."""
    lost_s: float = 0.0
    """How far the true times are from an even spacing, for what can only say an even spacing."""


def judge(part: str, what: str, readings: Readings, note: str = "") -> Row:
    """Return a verdict: an error within the rounding is ok, one that uneven spacing explains is a warning."""
    said, shown = list(readings.said_s), list(readings.shown_s)
    allowed = readings.allowed_s + CLOCK_SLACK_S
    if len(said) != len(shown):
        return Row(part, what, "FAIL", None, allowed, f"says {len(said)} times for {len(shown)} that are shown")
    pairs = [(a, b) for a, b in zip(said, shown, strict=True) if not math.isnan(a - b)]
    if not pairs:
        return Row(part, what, "FAIL", None, allowed, "no time could be read")
    worst = max(pairs, key=lambda pair: abs(pair[0] - pair[1]))
    error = abs(worst[0] - worst[1])
    verdict: Verdict = "ok"
    if len(pairs) < len(said):
        verdict, note = "FAIL", f"{len(said) - len(pairs)} of {len(said)} times could not be read"
    elif error > allowed + readings.lost_s:
        verdict, note = "FAIL", f"says {worst[0]:.2f} s where {worst[1]:.2f} s is shown"
    elif error > allowed:
        verdict = "warning"
        note = f"it can only say an even spacing: up to {readings.lost_s:.2f} s off on such a file"
    return Row(part, what, verdict, error, allowed, note)


def attempt(part: str, what: str, check: Callable[[], Row | Iterable[Row]]) -> list[Row]:
    """Return rows of a check; one that breaks is a failed row and does not end the rest."""
    try:
        found = check()
        return [found] if isinstance(found, Row) else list(found)
    except Exception as error:
        return [Row(part, what, "FAIL", note=f"broke with {reason(error)}")]


def reason(error: BaseException) -> str:
    """Return an error's type and the first line of its message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def as_json(report: Report) -> dict[str, Any]:
    """Return the report as plain objects."""
    import dataclasses

    return {"ok": report.ok, **dataclasses.asdict(report)}
