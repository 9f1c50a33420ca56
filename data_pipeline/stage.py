"""What a stage is: settings with a name, what it needs and gives, and its work; and what stages share about rows."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import PlainValidator, SerializeAsAny
from pydantic_core import PydanticCustomError

from timeground.cli.recipes import Settings
from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.named import imported
from timeground.spans import Span

from .item import Item
from .notes import Pairs, has_key
from .tools import Tools

STAGES: dict[str, type[Stage]] = {}
"""Every stage by its name; a class whose field `stage` has a name as its default enters itself."""


class Stage(Settings):
    """What all stages have in common. Subclass `VideoStage`, `GlobalStage` or `OutputStage`."""

    stage: str
    needs: ClassVar[tuple[str, ...]] = ()
    """Keys (see `notes`) that an earlier stage must have given, or the rows must have brought in."""
    gives: ClassVar[tuple[str, ...]] = ()
    """Keys that are there for later stages."""
    gives_if: ClassVar[dict[str, str]] = {}
    """Those of `gives` that depend on a setting, with the name of the setting that must be true."""
    prompts: ClassVar[tuple[str, ...]] = ()
    """Names of prompt files that shape what it does."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Enter a stage that has a name into `STAGES`."""
        name = cls.model_fields["stage"].default
        if isinstance(name, str):
            STAGES[name] = cls

    def needed(self) -> tuple[str, ...]:
        """Return what it needs with these settings."""
        return self.needs

    def given(self) -> tuple[str, ...]:
        """Return what it gives with these settings."""
        return tuple(key for key in self.gives if key not in self.gives_if or getattr(self, self.gives_if[key]))

    def models(self) -> list[str]:
        """Return the names of the models that it asks."""
        return []

    def prompt_names(self) -> list[str]:
        """Return the names of the prompt files that it reads."""
        return list(self.prompts)

    def files(self) -> list[Path]:
        """Return files and folders beside the videos whose content shapes what it does."""
        return []

    def require(self, row: Row, key: str) -> None:
        """Raise UserError for a row that lacks a key that others brought in."""
        if not has_key(row, key):
            raise UserError(f"row {row.id!r} has no {key}, which stage {self.stage} needs; {givers(key)}")


class VideoStage(Stage):
    """A stage that looks at one video at a time; runs in workers, shard by shard."""

    @abstractmethod
    def run(self, item: Item, tools: Tools) -> None:
        """Change the item in place: drop rows with a reason, note each change in the row's history.

        Raise VideoError or UserError where it cannot work on this video; that is noted, and the run goes on.
        """


class GlobalStage(Stage):
    """A stage that must see everything; runs in the main process, over rows only, never over frames."""

    @abstractmethod
    def decide(self, items: Iterable[Item], tools: Tools) -> dict[str, tuple[str, str]]:
        """Return what is dropped: row id, or video, to (class, reason)."""


class OutputStage(Stage):
    """A stage that writes files for others and leaves all rows as they are; runs in the main process, in every run."""

    @abstractmethod
    def write(self, items: Iterable[Item], tools: Tools) -> None:
        """Write the files, below the run's output folder."""


def _validated(value: Any) -> Stage:
    """Return the stage that an entry of a recipe describes, such as ``{stage: probe, min_s: 2}``."""
    if isinstance(value, Stage):
        return value
    name = value.get("stage") if isinstance(value, dict) else value
    if isinstance(value, dict) and isinstance(name, str) and ":" in name:
        return _own_stage(name).model_validate(value)
    if not isinstance(value, dict) or not isinstance(name, str) or name not in STAGES:
        problem = "there is no stage {name}; there are: {there}"
        raise PydanticCustomError("no_stage", problem, {"name": repr(name), "there": ", ".join(STAGES)})
    return STAGES[name].model_validate(value)


def _own_stage(name: str) -> type[Stage]:
    """Return a user's stage, by ``file.py:Name`` or ``package.module:Name``. Raise a validation error if it is none."""
    try:
        found = imported(name, "stage", STAGES)
    except UserError as error:
        raise PydanticCustomError("no_stage", "{problem}", {"problem": str(error)}) from None
    kinds = (VideoStage, GlobalStage, OutputStage)
    if not (isinstance(found, type) and issubclass(found, kinds)) or inspect.isabstract(found):
        problem = "{name} is no stage: derive it from VideoStage, GlobalStage or OutputStage, with its method"
        raise PydanticCustomError("no_stage", problem, {"name": name})
    if isinstance(found.model_fields["stage"].default, str):
        raise PydanticCustomError("no_stage", "{name}: leave out its field `stage`; recipes name it", {"name": name})
    return found


def source_of(stage: Stage) -> list[Path]:
    """Return the file of a stage that does not ship: another text is another stage, and runs anew."""
    if type(stage).__module__.partition(".")[0] == "timeground":
        return []
    return [Path(inspect.getfile(type(stage)))]


AnyStage = Annotated[SerializeAsAny[Stage], PlainValidator(_validated)]
"""An entry of a recipe's ``stages``."""


def givers(key: str) -> str:
    """Return, in words, which stages give a key."""
    names = [name for name, stage in STAGES.items() if key in stage.gives]
    return f"put stage {' or '.join(names)} before it" if names else "no stage gives that"


def grounding(rows: Iterable[Row]) -> list[Row]:
    """Return the rows that ask when something happens; most stages leave questions and event lists as they are."""
    return [row for row in rows if row.task == "ground"]


def by_window(rows: Iterable[Row]) -> dict[Span | None, list[Row]]:
    """Return rows grouped by the part of the video that they ask about, in the order in which each comes first."""
    groups: dict[Span | None, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.window, []).append(row)
    return groups


def to_spans(pairs: Pairs) -> list[Span]:
    """Return the spans of stored ``[start, end]`` pairs."""
    return [Span(start, end) for start, end in pairs]


def to_pairs(spans: Iterable[Span]) -> Pairs:
    """Return spans as ``[start, end]`` pairs, as they are stored."""
    return [span.to_list() for span in spans]
