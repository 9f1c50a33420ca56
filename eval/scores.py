"""What a scoring gives: both protocols side by side, intervals, counts, and every row's sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from timeground.files.json_text import dump_json
from timeground.files.whole_files import write_text
from timeground.metrics.intervals import Interval

from .samples import Sample, write_samples

Protocol = Literal["official", "strict"]
Metrics = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Counts:
    """How the rows fared."""

    rows: int
    videos: int
    missing: int
    unreadable: int
    """Answered, but not understood."""
    reversed: int
    """A span ends before it starts."""
    outside: int = 0
    """A span leaves the video, or the window of it that was asked about."""

    @property
    def parse_failure_rate(self) -> float:
        """Return unreadable replies as a share of the replies there are."""
        answered = self.rows - self.missing
        return self.unreadable / answered if answered else 0.0


@dataclass(frozen=True, slots=True)
class Scores:
    """The result of a task."""

    task: str
    counts: Counts
    official: Metrics | None
    """The benchmark's own metrics in percent: None without an evaluator, or one None where it gives no number."""
    strict: Metrics
    """Ours, in percent."""
    intervals: Mapping[str, Interval]
    """95 % of the strict ones, by video."""
    samples: Sequence[Sample]
    layouts: Mapping[Protocol, Any] = field(default_factory=dict)
    """The benchmark's own JSON by protocol, where it has one."""
    headline: Sequence[str] = ()
    """Which metrics to show first."""
    notes: Sequence[str] = ()
    """Why they differ."""

    def to_json(self, protocol: Protocol | None = None) -> dict[str, Any]:
        """Return everything but the samples, numbers rounded to 4 decimals; one protocol only if it is named."""
        found: dict[str, Any] = {
            "task": self.task,
            "counts": asdict(self.counts) | {"parse_failure_rate": round(self.counts.parse_failure_rate, 4)},
        }
        if protocol != "strict" and self.official is not None:
            found["official"] = {name: _rounded(value) for name, value in self.official.items()}
        if protocol != "official" or self.official is None:
            found["strict"] = {name: _rounded(value) for name, value in self.strict.items()}
            found["intervals"] = {n: [_rounded(i.low), _rounded(i.high)] for n, i in self.intervals.items()}
        return found | {"notes": list(self.notes)}

    def own_layout(self, protocol: Protocol | None = None) -> Any:
        """Return what ``--json`` prints: the benchmark's own layout if it has one (official unless told), else ours."""
        return self.layouts.get(protocol or "official") or self.to_json(protocol)

    def to_text(self, protocol: Protocol | None = None) -> str:
        """Return a short report: counts, a table of the headline metrics, notes."""
        counts = self.counts
        lines = [
            f"{self.task}: {counts.rows} rows of {counts.videos} videos, {counts.missing} without a prediction, "
            f"{counts.unreadable} unreadable ({counts.parse_failure_rate:.1%}), {counts.reversed} with a reversed span"
            f", {counts.outside} outside the video or its window"
        ]
        columns = [p for p in ("official", "strict") if protocol in (None, p) and (p == "strict" or self.official)]
        names = self._shown_names()
        width = max(map(len, names), default=6)
        head = "".join(f"{column:>10}" for column in columns) + ("   95 % interval" if "strict" in columns else "")
        lines.append(f"{'':{width}}{head}")
        lines += [f"{name:{width}}{self._cells(name, columns)}" for name in names]
        return "\n".join(lines + [f"note: {note}" for note in self.notes])

    def _shown_names(self) -> list[str]:
        names = list(dict.fromkeys([*(self.official or {}), *self.strict]))
        return [name for name in self.headline if name in names] or names

    def _cells(self, name: str, columns: Sequence[str]) -> str:
        sides: dict[str, Metrics] = {"official": self.official or {}, "strict": self.strict}
        cells = "".join(f"{_shown(sides[column], name):>10}" for column in columns)
        interval = self.intervals.get(name)
        if "strict" in columns and interval is not None and interval.low is not None and interval.high is not None:
            cells += f"   {interval.low:.2f} to {interval.high:.2f}"
        return cells

    def save(self, folder: Path, protocol: Protocol | None = None) -> None:
        """Write ``results.json`` and ``samples.jsonl`` into a folder, which is made if need be."""
        write_samples(folder / "samples.jsonl", self.samples)
        write_text(folder / "results.json", dump_json(self.to_json(protocol), indent=2) + "\n")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _shown(metrics: Metrics, name: str) -> str:
    if name not in metrics:
        return ""
    value = metrics[name]
    return "none" if value is None else f"{value:.2f}"
