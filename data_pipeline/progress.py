"""The lines that show how far a run is: stage, videos, rate, rows dropped, time left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class Display:
    """One bar for each stage."""

    def __init__(self, bars: Progress) -> None:
        self.bars = bars
        self.current: TaskID | None = None
        self.rejected = 0

    def stage(self, name: str, total: int, done: int, rejected: int) -> None:
        """A new stage begins; `done` videos of it were done before."""
        self.rejected = rejected
        self.current = self.bars.add_task(name, total=total, completed=done, rate="", rejected=rejected)

    def advance(self, videos: int, rejected: int) -> None:
        """More videos are through, and so many rows of theirs were dropped."""
        if self.current is None:
            return
        self.rejected += rejected
        self.bars.update(self.current, advance=videos, rejected=self.rejected)
        speed = next(task for task in self.bars.tasks if task.id == self.current).finished_speed
        task = next(task for task in self.bars.tasks if task.id == self.current)
        speed = speed or task.speed
        self.bars.update(self.current, rate=f"{speed:.2f} videos/s" if speed else "")


@contextmanager
def display(shown: bool = True) -> Iterator[Display]:
    """Bars on standard error, for as long as the block lasts."""
    columns = (
        TextColumn("{task.description:<11}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("{task.fields[rejected]} rows dropped"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as bars:
        yield Display(bars)
