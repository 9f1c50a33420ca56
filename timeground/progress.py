"""Bars that show how far, how fast and how long; where there is no terminal, a line every 30 seconds instead."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

LINE_EVERY_S = 30.0
"""Between two lines of a bar where there is no terminal."""


@dataclass
class Bar:
    """How far one piece of work is."""

    name: str
    total: float
    unit: str
    """What is counted ("steps"); "B" counts bytes."""
    completed: float
    began_s: float
    began_with: float
    """What was done before it began, such as in a run that was stopped."""
    more: str = ""
    """What else is said of it, such as the loss."""
    told_s: float = field(default=0.0)
    task: TaskID | None = None

    def rate(self, now_s: float) -> float:
        """Return how much is done a second; 0 where nothing is yet."""
        return (self.completed - self.began_with) / max(now_s - self.began_s, 1e-9)

    def said(self, now_s: float) -> str:
        """Return how far it is, how fast, and how long it still takes."""
        words = [f"{_count(self.completed, self.unit)}/{_count(self.total, self.unit)}"]
        rate = self.rate(now_s)
        if rate > 0:
            words.append(_rate(rate, self.unit))
            if self.completed < self.total:
                words.append(f"{_clock((self.total - self.completed) / rate)} left")
        return ", ".join([*words, self.more] if self.more else words)


class Bars:
    """Shows bars on standard error for as long as its block lasts."""

    def __init__(
        self, shown: bool = True, console: Console | None = None, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        """Make it ready. shown: whether anything is shown. console: where; standard error by default."""
        self.shown, self.console, self.now_s = shown, console or Console(stderr=True), now_s
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.fields[said]}"))
        live = shown and self.console.is_terminal
        self.live = Progress(*columns, console=self.console, refresh_per_second=2) if live else None

    def __enter__(self) -> Self:
        """Begin to show."""
        if self.live is not None:
            self.live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End; the bars stay as they are."""
        if self.live is not None:
            self.live.stop()

    def add(self, name: str, total: float, unit: str, completed: float = 0) -> Bar:
        """Return a new bar. completed: what was done before."""
        now_s = self.now_s()
        bar = Bar(name, total, unit, completed, now_s, completed, told_s=now_s)
        if self.live is not None:
            bar.task = self.live.add_task(name, total=total, completed=round(completed), said=bar.said(now_s))
        return bar

    def advance(self, bar: Bar, by: float = 1, more: str | None = None) -> None:
        """Show that more is done. more: what else is said now."""
        self.update(bar, bar.completed + by, more)

    def update(self, bar: Bar, completed: float, more: str | None = None) -> None:
        """Show how much is done. more: what else is said now."""
        bar.completed, bar.more = completed, bar.more if more is None else more
        now_s = self.now_s()
        if self.live is not None and bar.task is not None:
            self.live.update(bar.task, completed=completed, total=bar.total, said=bar.said(now_s))
        elif self.shown and now_s - bar.told_s >= LINE_EVERY_S:
            bar.told_s = now_s
            self.say(f"{bar.name}: {bar.said(now_s)}")

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        if self.shown:
            self.console.print(Text(text), soft_wrap=True)


def size(num_bytes: float) -> str:
    """Return a size as people say it, such as "17.5 GB"."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if num_bytes >= scale:
            return f"{num_bytes / scale:.1f} {unit}"
    return f"{num_bytes:.0f} bytes"


def _count(number: float, unit: str) -> str:
    return size(number) if unit == "B" else f"{number:g}"


def _rate(rate: float, unit: str) -> str:
    if unit == "B":
        return f"{size(rate)}/s"
    return f"{rate:.2f} {unit}/s" if rate >= 0.1 else f"{1 / rate:.0f} s for one of the {unit}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
