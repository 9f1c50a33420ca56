"""The findings as a page of documentation: a table, a fold for each processor, and the reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from timeground.doctor import installation
from timeground.doctor.processors.check import ProcessorReport
from timeground.doctor.processors.clips import HOUR, LATE, VARIABLE
from timeground.doctor.processors.faults import FAULTS, Fault
from timeground.doctor.processors.table import columns_of, error_text, lines_of, summary
from timeground.doctor.processors.verdicts import MEANINGS, Finding
from timeground.files.whole_files import write_text

COMMAND = "timeground doctor --processors all --markdown docs/clocks.md"
PACKAGES = ("transformers", "torchcodec", "torch")
TITLE = """\
# Clocks: what time transformers' video processors tell

Written by `{command}`, which needs no download, no weights and no GPU. {versions}.

A model that finds *when* something happens is told the time of each frame by its processor: in the prompt, in a tensor
of positions, or drawn into the picture. Nothing raises an error if that time is wrong. So each video processor that
transformers has is built from its class's own defaults with a tokenizer made in memory, and handed clips in which
every frame shows its own time. What it tells is read from the finished prompt or tensor. The truth is read from the
pixels that it took, so its own claims (`frames_indices`, `fps`) are on trial too. A block of frames that become the
same tokens is told rightly by any time from its first frame to its last.

A checkpoint's configuration may set other values than the classes' defaults. `timeground doctor --model M` checks one.

## The clips and the ways

Clips of ten seconds at 24, 25, 29.97, 30 and 60 frames a second; one of variable rate, in which a picture stands still
for 3 s; one whose sound starts at 0 and whose first frame is shown at 5 s; an hour of one frame a second, and
metadata that claim an hour at each of the rates. They are handed over as `path`; as `path, fps` (`fps=2.5,
do_sample_frames=True`); and as frames that were taken out before, 2.5 a second (`do_sample_frames=False`): with
`video_metadata`, with `fps=2.5`, and with nothing. A processor that takes every frame of a path is not handed an hour.

{meanings}

## The table

The first five columns are the clips of ten seconds at an even rate; the last three are the harder clips, handed over in
the first three ways. A cell is the worst of its clips: its verdict, and the largest error.

"""
HEADS = ("path", "path, fps", "frames, metadata", "frames, fps", "frames", HOUR, VARIABLE, LATE)
REPORTS = """\
## Reports

Each is a fault of the table above as code that runs without a checkpoint. What it prints was printed when this page was
written.

"""


def write_page(path: Path, reports: Sequence[ProcessorReport]) -> None:
    """Write the page. Raise OutputError if it cannot be written."""
    write_text(path, page(reports))


def page(reports: Sequence[ProcessorReport]) -> str:
    """Return the page; the code of each report is run for it."""
    known = installation.versions()
    versions = ", ".join(f"{name} {known[name]}" for name in PACKAGES if name in known)
    meanings = "\n".join(f"* **{verdict}**: {meaning}" for verdict, meaning in MEANINGS.items())
    told = [report for report in reports if any(finding.told_s for finding in report.findings)]
    parts = [TITLE.format(command=COMMAND, versions=versions, meanings=meanings), _table(told), _untold(reports)]
    parts += [f"\nAll in all: {summary(reports)}.\n\n## Each processor\n\n", *map(_fold, told)]
    found = [fault for fault in FAULTS if fault.is_found(reports)]
    return "".join([*parts, REPORTS, *map(_report, found)]).rstrip() + "\n"


def _table(reports: Sequence[ProcessorReport]) -> str:
    """Return the table of those that tell a time."""
    rows: list[tuple[str, ...]] = [("processor", "how the time is told", *HEADS)]
    rows.append(tuple("---" for _ in rows[0]))
    for report in reports:
        columns = columns_of(report)
        how = _cell(f"{report.how} {f'({report.note})' if report.note else ''}".strip())
        rows.append((f"`{report.name}`", how, *(_verdict(columns[head]) for head in HEADS)))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _untold(reports: Sequence[ProcessorReport]) -> str:
    """Return a list of those that tell none, by what is known of them."""
    by_how: dict[str, list[str]] = {}
    for report in reports:
        if not any(finding.told_s for finding in report.findings):
            message = next((finding.note for finding in report.findings if finding.note), "")
            by_how.setdefault(": ".join(filter(None, (report.how, message))), []).append(f"`{report.name}`")
    return "\nThe others:\n\n" + "".join(f"* {how}: {', '.join(names)}\n" for how, names in sorted(by_how.items()))


def _fold(report: ProcessorReport) -> str:
    """Return all findings of a processor, folded."""
    also = f", also {', '.join(report.also)}" if report.also else ""
    rows = "".join(
        f"| {line.way} | {line.clip_names} | {_verdict(line.worst)} | {_cell(line.told)} | {_cell(line.worst.note)} |\n"
        for line in lines_of(report)
    )
    head = f"<details><summary>{report.name}{also} ({report.processor}, {report.video_processor})</summary>\n\n"
    table = "| handed over as | clips | worst | told, of the worst clip (what its frames show), in seconds | note |\n"
    return f"{head}{table}| --- | --- | --- | --- | --- |\n{rows}\n</details>\n\n"


def _report(fault: Fault) -> str:
    """Return a report, folded."""
    seen = f"```\n{fault.seen()}\n```"
    code = f"```python\n{fault.code.strip()}\n```"
    head = f"<details><summary>{fault.title}</summary>"
    return f"{head}\n\n{code}\n\nSeen:\n\n{seen}\n\nRight: {fault.right}\n\n</details>\n\n"


def _verdict(finding: Finding | None) -> str:
    """Return a cell: a verdict, with its error where there is one to speak of."""
    if finding is None:
        return ""
    return f"{finding.verdict} {error_text(finding.error_s)}".strip() if finding.verdict != "ok" else "ok"


def _cell(text: str) -> str:
    """Return a text that does not end its cell; code spans keep their bars only if these are written so."""
    return text.replace("|", "\\|").replace("\n", " ")
