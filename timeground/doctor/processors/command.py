"""``timeground doctor --processors``: renders the clips, asks each processor, and prints or writes what came of it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from timeground.doctor import installation
from timeground.doctor.processors.catalogue import choose
from timeground.files.scratch import scratch_folder

if TYPE_CHECKING:
    from rich.console import Console

    from timeground.doctor.processors.check import ProcessorReport


def run_processors(wanted: str, console: Console, as_json: bool = False, page: str | None = None) -> int:
    """Check the processors of a comma-separated list, or all; print, and write a page if one is named.

    What is found is a fault of transformers, not of this installation, so the exit status is 0.
    Raise UserError for an unknown processor.
    """
    from timeground.doctor.processors.table import show

    reports = check_processors(wanted, console)
    if page is not None:
        from timeground.doctor.processors.page import write_page

        with console.status("running the reports' code"):
            write_page(Path(page), reports)
    if as_json:
        found = [dataclasses.asdict(report) for report in reports]
        print(json.dumps({"versions": installation.versions(), "processors": found}, indent=2))
    else:
        show(reports, console)
    return 0


def check_processors(wanted: str, console: Console) -> list[ProcessorReport]:
    """Return a report for each processor. Raise UserError for an unknown one."""
    from timeground.doctor.processors.check import check_processor
    from timeground.doctor.processors.clips import write_clips

    with console.status("looking for video processors"):
        entries = choose(wanted)
    reports = []
    with scratch_folder("doctor") as folder:
        with console.status("rendering clips that show a clock"):
            clips = write_clips(folder)
        for number, entry in enumerate(entries, 1):
            with console.status(f"asking {entry.name}, {number} of {len(entries)}"):
                reports.append(check_processor(entry, clips))
    return reports
