"""What a stage is: settings with a name, and either work on one video or a verdict over all of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from timeground.cli.recipes import Settings
from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.spans import Span

from ..item import Item
from ..tools import Tools


class VideoStage(Settings):
    """A stage that looks at one video at a time; runs in workers, shard by shard."""

    stage: str
    prompts: ClassVar[tuple[str, ...]] = ()
    """Prompt files that shape what it does."""

    @abstractmethod
    def run(self, item: Item, tools: Tools) -> None:
        """Change the item in place: drop rows with a reason, note each change in the row's history.

        Raises VideoError or UserError where it cannot work on this video; the engine notes that and goes on.
        """

    def models(self) -> list[str]:
        """Names of the models it asks."""
        return []

    def prompt_names(self) -> list[str]:
        """Names of the prompt files it reads."""
        return list(self.prompts)

    def files(self) -> list[Path]:
        """Files and folders beside the videos whose content shapes what it does."""
        return []


class GlobalStage(Settings):
    """A stage that must see everything; runs in the main process, over rows only, never over frames."""

    stage: str
    writes_files: ClassVar[bool] = False
    """Whether it writes files of its own, and so is done anew in every run."""

    @abstractmethod
    def decide(self, items: Iterable[Item], tools: Tools) -> dict[str, tuple[str, str]]:
        """What goes: row id, or video, to (class, reason)."""

    def models(self) -> list[str]:
        """Names of the models it asks: none."""
        return []

    def prompt_names(self) -> list[str]:
        """Names of the prompt files it reads: none."""
        return []

    def files(self) -> list[Path]:
        """Files and folders beside the videos whose content shapes what it does."""
        return []


def is_grounding(row: Row) -> bool:
    """Whether a row asks when something happens; the stages leave questions and event lists as they are."""
    return row.task == "ground"


def by_window(rows: Iterable[Row]) -> Iterator[tuple[Span | None, list[Row]]]:
    """Grounding rows by the part of the video that they ask about."""
    groups: dict[Span | None, list[Row]] = {}
    for row in rows:
        if is_grounding(row):
            groups.setdefault(row.window, []).append(row)
    yield from groups.items()


def to_spans(pairs: Iterable[Any]) -> list[Span]:
    """Spans of stored ``[start, end]`` pairs."""
    return [Span(start, end) for start, end in pairs]


def require(condition: object, message: str) -> None:
    """UserError unless something holds."""
    if not condition:
        raise UserError(message)
