"""The rewards of a recipe, evaluated and summed: weights, gates, and a check of what every reward returns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from timeground.data.row_checks import shown
from timeground.errors import UserError

from .calling import Trainer, call
from .registry import columns_of, load_reward
from .reward import RewardFunction


class RewardSettings(BaseModel):
    """A reward in a recipe; a bare name stands for itself with the defaults.

    name: one of this package's, or ``package.module:function``. gate: another reward, by name, that must be
    above 0 for this one to count (VideoRFT and Video-R1 give bonuses only to answers that are right). messages: it
    takes prompts and completions as lists of messages, as TRL's own rewards do.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str
    weight: float = Field(1.0, allow_inf_nan=False)
    gate: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    messages: bool = False

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


@dataclass(frozen=True)
class RewardValues:
    """What the rewards of a recipe gave. by_name: unweighted, after gates. total: their weighted sum."""

    by_name: dict[str, list[float]]
    total: list[float]


class RewardSum:
    """The rewards of a recipe as one: ``total = sum of weight * reward``, a gated one where its gate is above 0."""

    def __init__(self, settings: Sequence[RewardSettings]) -> None:
        """Load every reward. UserError for a name that is unknown or listed twice, or an option that is."""
        self.settings = {item.name: item for item in settings}
        if len(self.settings) < len(settings):
            names = [item.name for item in settings]
            twice = next(name for name in names if names.count(name) > 1)
            raise UserError(f"reward {twice} is listed twice; list it once, its weight says how much it counts")
        if not settings:
            raise UserError("no rewards are listed; name at least one, for instance tiou")
        self.functions: dict[str, RewardFunction] = {i.name: load_reward(i.name, i.options) for i in settings}
        gates = {item.gate for item in settings if item.gate} - set(self.functions)
        self._gates = {name: load_reward(name) for name in sorted(gates)}
        self.trainer = Trainer()

    @property
    def columns(self) -> set[str]:
        """Every column that some reward or gate needs; "backward" in it says that reversed clips are to be answered."""
        return {column for function in (self.functions | self._gates).values() for column in columns_of(function)}

    def check_columns(self, available: Iterable[str]) -> None:
        """UserError, before a run begins, if a reward or gate needs a column that is not available."""
        there = set(available)
        for name, function in (self.functions | self._gates).items():
            missing = [column for column in columns_of(function) if column not in there]
            if missing:
                raise UserError(f"reward {name} needs the column {', '.join(missing)}; add it to the data")

    def __call__(self, completions: Sequence[Any], **columns: Any) -> RewardValues:
        """Evaluate all rewards. UserError that names the reward if one returns anything but usable numbers."""
        raw = {
            name: _checked(name, self._called(name, function, completions, columns), len(completions))
            for name, function in (self.functions | self._gates).items()
        }
        by_name = {
            name: _gated(raw[name], raw[item.gate] if item.gate else None) for name, item in self.settings.items()
        }
        weights = [item.weight for item in self.settings.values()]
        each = zip(*by_name.values(), strict=True)
        return RewardValues(by_name, [math.fsum(w * v for w, v in zip(weights, row, strict=True)) for row in each])

    def _called(self, name: str, function: RewardFunction, completions: Sequence[Any], columns: dict[str, Any]) -> Any:
        messages = name in self.settings and self.settings[name].messages
        return call(function, completions, {**self.trainer.given(), **columns}, messages)


def _gated(values: list[float], gate: list[float] | None) -> list[float]:
    """The values, 0 where the gate is shut."""
    return values if gate is None else [v if g > 0 else 0.0 for v, g in zip(values, gate, strict=True)]


def _checked(name: str, values: Any, count: int) -> list[float]:
    """What a reward returned, as finite numbers; None, by which TRL's rewards say "does not apply", as 0."""
    try:
        numbers = [0.0 if value is None else float(value) for value in values]
    except (TypeError, ValueError):
        raise UserError(f"reward {name} returned {shown(values)}; return a list of numbers") from None
    if len(numbers) != count:
        raise UserError(f"reward {name} returned {len(numbers)} numbers for {count} completions; return one for each")
    for index, number in enumerate(numbers):
        if not math.isfinite(number):
            raise UserError(f"reward {name} returned {number} for completion {index}; return finite numbers")
    return numbers
