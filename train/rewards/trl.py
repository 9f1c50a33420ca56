"""TRL's convention at the edge: ``(completions, **columns) -> list``, with lists that hold a value for each completion.

`as_trl` makes one of our rewards such a function, which TRL's GRPOTrainer (1.16) takes unchanged; `TrlFunction` calls a
function that was written for TRL in a run of ours. Beside these two files nothing in this package knows columns.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, cast

from timeground.chat.trajectory import Trajectory
from timeground.data.rows import Row
from timeground.errors import UserError

from .columns import COLUMN_OF, ColumnRow, columns_of, rows_of, texts_of, trajectory_of
from .reward import Question, Reward

MADE_BY_TRAINER = ("completions", "prompts", "completion_ids", "trainer_state", "log_metric", "log_extra")
"""What every function is given beside the data's columns."""


class TrlReward:
    """One of our rewards as a function that TRL calls."""

    __name__: str

    def __init__(self, function: Callable[..., float], options: Mapping[str, Any] | None = None) -> None:
        self.reward = Reward(function, options)
        self.__name__, self.__module__, self.__doc__ = function.__name__, function.__module__, function.__doc__

    @property
    def options(self) -> dict[str, Any]:
        """Return settings that differ from their defaults."""
        return self.reward.options

    def with_options(self, **options: Any) -> TrlReward:
        """Return the reward with other settings. Raise UserError for a name or a value that it cannot take."""
        return TrlReward(self.reward.function, {**self.options, **options})

    def __call__(self, completions: Sequence[Any], **columns: Any) -> list[float]:
        """Return a number for each completion, a text or a list of messages.

        A keyword that is an option and no list sets that option, so that ``functools.partial(wasserstein, beta=3.0)``
        can be handed to TRL. Columns that the reward does not read are ignored.
        """
        known = self.reward.known
        options = {name: columns.pop(name) for name in known if not isinstance(columns.get(name, []), list)}
        if options:
            return self.with_options(**options)(completions, **columns)
        try:
            return self._scores([trajectory_of(text) for text in texts_of(completions)], columns)
        except UserError as error:
            raise UserError(f"reward {self.__name__}: {error}") from None

    def _scores(self, said: list[Trajectory], columns: dict[str, Any]) -> list[float]:
        rows = rows_of(len(said), columns)
        alone: list[Sequence[Trajectory]] = [(trajectory,) for trajectory in said]
        groups = _groups(said, rows) if "group" in self.reward.takes else alone
        found = []
        for index, (trajectory, row, group) in enumerate(zip(said, rows, groups, strict=True)):
            try:
                found.append(self.reward(trajectory, cast(Row, row), group=group, contrasts=row.contrasts))
            except UserError as error:
                raise UserError(f"completion {index}: {error}") from None
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the function's name."""
        return TrlReward, (self.reward.function, self.options)


def as_trl(function: Callable[..., float], **options: Any) -> TrlReward:
    """Return a reward of ours as a function that TRL's GRPOTrainer takes."""
    return TrlReward(function, options)


@dataclass
class TrainerState:
    """How far a run is, by the names of transformers' state of that name."""

    global_step: int = 0
    max_steps: int = 0


@dataclass
class Trainer:
    """What a function written for TRL may ask of its trainer."""

    state: TrainerState = field(default_factory=TrainerState)
    logged: dict[str, list[float]] = field(default_factory=dict)
    """What it had written down, by name."""

    def log_metric(self, name: str, value: float) -> None:
        """Write a number down; the mean of a step goes into its metrics."""
        self.logged.setdefault(name, []).append(float(value))

    def log_extra(self, column: str, values: Sequence[Any]) -> None:
        """Take a column for TRL's table of completions, which this trainer does not have."""

    def means(self) -> dict[str, float]:
        """Return the mean of each number since the last call."""
        found = {name: sum(values) / len(values) for name, values in self.logged.items()}
        self.logged.clear()
        return found


class TrlFunction:
    """A function that was written for TRL, called as TRL calls it: everything by keyword, coroutines awaited."""

    def __init__(
        self, function: Callable[..., Any], name: str, options: Mapping[str, Any] | None = None, messages: bool = False
    ) -> None:
        """Wrap a function. messages: it wants prompts and completions as lists of messages, as TRL's own rewards do."""
        self.function, self.name, self.options, self.messages = function, name, dict(options or {}), messages
        self.trainer = Trainer()

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Return the columns that it needs: its attribute `columns`, else its parameters that have no default."""
        declared = getattr(self.function, "columns", None)
        if declared is not None:
            return tuple(declared)
        kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        parameters = [p for p in self._parameters() if p.kind in kinds and p.default is inspect.Parameter.empty]
        return tuple(p.name for p in parameters if p.name not in (*MADE_BY_TRAINER, *self.options))

    def check(self, contrasts: Sequence[str]) -> None:
        """Raise UserError, before a run begins, if it needs a column that no row has."""
        there = {*(f.name for f in fields(Row)), "is_backward", "group"}
        there |= {COLUMN_OF.get(name, name) for name in contrasts}
        if missing := [column for column in self.columns if column not in there]:
            raise UserError(f"reward {self.name} needs the column {', '.join(missing)}; add it to the data")

    def scores(self, questions: Sequence[Question]) -> Sequence[Any]:
        """Return what it gives for the answers of several questions, question by question."""
        return cast(Sequence[Any], self.call(columns_of(questions)))

    def call(self, columns: Mapping[str, Any]) -> Any:
        """Return what it gives for columns. Without ``**kwargs`` it is given only what it names."""
        trainer = {
            "trainer_state": self.trainer.state,
            "log_metric": self.trainer.log_metric,
            "log_extra": self.trainer.log_extra,
        }
        given: dict[str, Any] = {**trainer, **columns}
        if self.messages:
            given["completions"] = [_message("assistant", text) for text in given["completions"]]
            given["prompts"] = [_message("user", prompt) for prompt in given["prompts"]]
        parameters = self._parameters()
        if parameters and not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
            names = {p.name for p in parameters}
            given = {name: value for name, value in given.items() if name in names}
        found = self.function(**given, **self.options)
        return asyncio.run(_awaited(found)) if inspect.isawaitable(found) else found

    def _parameters(self) -> list[inspect.Parameter]:
        """Return its parameters; none where Python cannot tell."""
        try:
            return list(inspect.signature(self.function).parameters.values())
        except (TypeError, ValueError):
            return []


def _groups(said: Sequence[Trajectory], rows: Sequence[ColumnRow]) -> list[Sequence[Trajectory]]:
    """Return for each completion all that answer the same prompt."""
    members: dict[Hashable, list[Trajectory]] = defaultdict(list)
    for trajectory, row in zip(said, rows, strict=True):
        members[row.group].append(trajectory)
    return [members[row.group] for row in rows]


def _message(role: str, text: Any) -> Any:
    return text if isinstance(text, list) else [{"role": role, "content": text}]


async def _awaited(found: Any) -> Any:
    return await found
