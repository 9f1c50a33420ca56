"""The findings as lines: clips that fare alike are one line, in the terminal and on the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from timeground.doctor.processors.check import ProcessorReport
from timeground.doctor.processors.clips import HOUR, LATE, RATES, VARIABLE, WAYS
from timeground.doctor.processors.verdicts import MEANINGS, Finding, Verdict

if TYPE_CHECKING:
    from rich.console import Console

STYLES: dict[Verdict, str] = {
    "ok": "green", "rounding": "yellow", "refused": "cyan", "no time": "dim", "not known": "magenta"
}  # fmt: skip
WRONG = "bold red"
BY_WEIGHT: tuple[Verdict, ...] = (
    "wrong", "wrong default", "drift", "uneven", "late", "not known", "rounding", "ok", "refused", "no time"
)  # fmt: skip
ENDS = (min(RATES, key=float), max(RATES, key=float))
NUM_SHOWN = 3  # times of a line that are written out, before the last one


@dataclass(frozen=True)
class Line:
    """One way of handing over, and the clips that fared alike in it."""

    way: str
    clips: tuple[str, ...]
    worst: Finding

    @property
    def clip_names(self) -> str:
        """Return the names of the clips; those of every rate as one."""
        names = ", ".join(self.clips)
        for before in ("", f"{HOUR} at "):
            names = names.replace(
                ", ".join(f"{before}{rate} fps" for rate in RATES), f"{before}{' to '.join(ENDS)} fps"
            )
        return names

    @property
    def told(self) -> str:
        """Return some of the times that were told, each with the frames that it stands for."""
        both = zip(self.worst.told_s, self.worst.shown_s, strict=False)  # none is shown if the numbers do not fit
        pairs = [f"{told:.4g} ({_span(shown)})" for told, shown in both]
        return ", ".join(pairs if len(pairs) <= NUM_SHOWN + 1 else [*pairs[:NUM_SHOWN], "...", pairs[-1]])


def lines_of(report: ProcessorReport) -> list[Line]:
    """Return a processor's findings, those with the same way and verdict together."""
    groups: dict[tuple[str, Verdict], list[Finding]] = {}
    for finding in report.findings:
        groups.setdefault((finding.way, finding.verdict), []).append(finding)
    return [Line(way, tuple(f.clip for f in group), worst_of(group)) for (way, _), group in groups.items()]


def worst_of(findings: Sequence[Finding]) -> Finding:
    """Return the finding that weighs most: by verdict, then by error."""
    return min(findings, key=lambda f: (BY_WEIGHT.index(f.verdict), -(f.error_s or 0.0)))


def columns_of(report: ProcessorReport) -> dict[str, Finding | None]:
    """Return the worst finding of each way (even clips of ten seconds), and of the harder clips whose rate is told."""
    hard = (HOUR, VARIABLE, LATE)
    columns: dict[str, list[Finding]] = {
        way: [f for f in report.findings if f.way == way and not f.clip.startswith(hard)] for way in WAYS
    }
    for name in hard:
        columns[name] = [f for f in report.findings if f.clip.startswith(name) and not f.way.startswith("frames, fps")]
        columns[name] = [f for f in columns[name] if f.way != "frames"]
    return {name: worst_of(found) if found else None for name, found in columns.items()}


def error_text(error_s: float | None) -> str:
    """Return an error in seconds, with as many digits as matter."""
    return "" if error_s is None else f"{error_s:.2f} s" if error_s < 10 else f"{error_s:.0f} s"


def summary(reports: Iterable[ProcessorReport]) -> str:
    """Return how many findings there are of each verdict."""
    found = [finding.verdict for report in reports for finding in report.findings]
    return ", ".join(f"{found.count(verdict)} {verdict}" for verdict in MEANINGS if verdict in found)


def show(reports: Sequence[ProcessorReport], console: Console) -> None:
    """Print each processor's lines."""
    from rich.table import Table
    from rich.text import Text

    for report in reports:
        also = f" (also {', '.join(report.also)})" if report.also else ""
        title = f"\n{report.name}{also}: {report.how}" + (f"; {report.note}" if report.note else "")
        console.print(Text(title, "bold"))
        table = Table(
            "handed over as", "clips", "verdict", "largest error", "told (frames), note", box=None, pad_edge=False
        )
        for line in lines_of(report):
            verdict = Text(line.worst.verdict, STYLES.get(line.worst.verdict, WRONG))
            notes = "; ".join(text for text in (line.told, line.worst.note) if text)
            table.add_row(Text(line.way), Text(line.clip_names), verdict, error_text(line.worst.error_s), Text(notes))
        if report.findings:
            console.print(table)
    console.print(Text(f"\n{len(reports)} processors: {summary(reports)}"))


def _span(shown: tuple[float, float]) -> str:
    first, last = (f"{time_s:.4g}" for time_s in shown)
    return first if first == last else f"{first} to {last}"
