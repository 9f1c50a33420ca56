"""What a reward is: a callable as TRL's GRPOTrainer calls it, made from a function that scores answers."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Annotated, Any, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from timeground.data.row_checks import shown
from timeground.errors import UserError

from .reading import texts_of
from .row import KNOWN, MADE_BY_RUN, RewardRow

NonNegative = Annotated[float, Field(ge=0)]
FINITE = ConfigDict(allow_inf_nan=False)
RewardFunction = Callable[..., list[float]]
"""``(completions, **columns) -> list[float]``, TRL's signature; a Reward is one, a user's function another."""


class Reward:
    """A reward: called with completions and the data set's columns, it gives one number for each completion.

    columns: those it cannot do without; a missing one is a UserError. Columns that it does not know are
    ignored, so that TRL's own keywords may come along. options: settings that differ from their defaults.
    """

    __name__: str

    def __init__(
        self, scores: RewardFunction, columns: Sequence[str], options: Mapping[str, Any] | None = None
    ) -> None:
        """scores: ``(texts, rows, **options)``; its keyword-only parameters are the reward's options."""
        self.__name__, self.__module__, self.__doc__ = scores.__name__, scores.__module__, scores.__doc__
        self.scores, self.columns, self.options = scores, tuple(columns), dict(options or {})

    def __call__(self, completions: Sequence[Any], **columns: Any) -> list[float]:
        """One number for each completion.

        completions: texts, or lists of messages. A keyword that is an option and no list sets that option, so
        that ``functools.partial(wasserstein, beta=3.0)`` can be handed to TRL.
        """
        known = self._option_names()
        options = {name: columns.pop(name) for name in known if not isinstance(columns.get(name, []), list)}
        if options:
            return self.with_options(**options)(completions, **columns)
        try:
            rows = _rows(len(completions), self.columns, columns)
            return self.scores(texts_of(completions), rows, **self.options)
        except UserError as error:
            raise UserError(f"reward {self.__name__}: {error}") from None

    def with_options(self, **options: Any) -> Reward:
        """The reward with other settings. UserError for a name that it does not know or a value it cannot take."""
        known, hints = self._option_names(), get_type_hints(self.scores, include_extras=True)
        checked = dict(self.options)
        for name, value in options.items():
            if name not in known:
                takes = f"it takes {', '.join(known)}" if known else "it takes none"
                raise UserError(f"reward {self.__name__}: unknown option {name}; {takes}")
            try:
                checked[name] = TypeAdapter(hints[name], config=FINITE).validate_python(value)
            except ValidationError as error:
                problem = error.errors()[0]["msg"]
                raise UserError(f"reward {self.__name__}: option {name} is {shown(value)}: {problem}") from None
        return Reward(self.scores, self.columns, checked)

    def _option_names(self) -> list[str]:
        parameters = inspect.signature(self.scores).parameters.values()
        return [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by name, as a function is."""
        return _restore, (self.__module__, self.__name__, self.options)


def reward(*columns: str) -> Callable[[Callable[..., float]], Reward]:
    """Make a reward of a function that scores one answer, ``(text, row, *, options) -> float``."""

    def make(score: Callable[..., float]) -> Reward:
        @wraps(score)
        def scores(texts: Sequence[str], rows: Sequence[RewardRow], **options: Any) -> list[float]:
            found = []
            for index, (text, row) in enumerate(zip(texts, rows, strict=True)):
                try:
                    found.append(float(score(text, row, **options)))
                except UserError as error:
                    raise UserError(f"completion {index}: {error}") from None
            return found

        return Reward(scores, columns)

    return make


def group_reward(*columns: str) -> Callable[[RewardFunction], Reward]:
    """Make a reward of a function that scores all answers together, ``(texts, rows, *, options) -> list``."""
    return lambda scores: Reward(scores, columns)


def _rows(count: int, needed: Sequence[str], columns: Mapping[str, Any]) -> list[RewardRow]:
    """A row for each completion. UserError if a column is missing, or one that we know has another length."""
    usable = {n: values for n, values in columns.items() if isinstance(values, list | tuple) and len(values) == count}
    for name in (*needed, *KNOWN, *MADE_BY_RUN):
        if name not in usable and columns.get(name) is not None:
            raise UserError(f"the column {name} must be a list with a value for each of the {count} completions")
        if name in needed and name not in usable and name not in MADE_BY_RUN:
            raise UserError(f"needs the column {name}, a list with a value for each completion; add it to the data")
    return [RewardRow({name: values[index] for name, values in usable.items()}) for index in range(count)]


def _restore(module: str, name: str, options: dict[str, Any]) -> Reward:
    """A pickled reward."""
    restored: Reward = getattr(importlib.import_module(module), name)
    return restored.with_options(**options)
