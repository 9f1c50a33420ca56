"""The rewards of a recipe, evaluated and summed: weights, gates, and a check of what every reward returns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from timeground.data.row_checks import shown
from timeground.errors import UserError

from .registry import Scorer, load_reward
from .reward import Question
from .trl import Trainer, TrlFunction


class RewardSettings(BaseModel):
    """A reward in a recipe; a bare name stands for itself with the defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str
    """One of this package's, or ``package.module:function``."""
    weight: float = Field(1.0, allow_inf_nan=False)
    gate: str | None = None
    """Another reward, by name, that must be above 0 for this one to count (VideoRFT and Video-R1 give bonuses only to
    answers that are right)."""
    options: dict[str, Any] = Field(default_factory=dict)
    messages: bool = False
    """It takes prompts and completions as lists of messages, as TRL's own rewards do."""

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


@dataclass(frozen=True)
class RewardValues:
    """What the rewards of a recipe gave, for each answer."""

    by_name: dict[str, list[float]]
    """Unweighted, after gates."""
    total: list[float]
    """Their weighted sum."""


class RewardSum:
    """The rewards of a recipe as one: ``total = sum of weight * reward``, a gated one where its gate is above 0."""

    def __init__(self, settings: Sequence[RewardSettings]) -> None:
        """Load every reward. Raise UserError for a name that is unknown or listed twice, or an option that is."""
        self.settings = {item.name: item for item in settings}
        if len(self.settings) < len(settings):
            names = [item.name for item in settings]
            twice = next(name for name in names if names.count(name) > 1)
            raise UserError(f"reward {twice} is listed twice; list it once, its weight says how much it counts")
        if not settings:
            raise UserError("no rewards are listed; name at least one, for instance tiou")
        self.rewards: dict[str, Scorer] = {i.name: load_reward(i.name, i.options, i.messages) for i in settings}
        gates = {item.gate for item in settings if item.gate} - set(self.rewards)
        self._gates = {name: load_reward(name) for name in sorted(gates)}
        self.trainer = Trainer()
        for scorer in self._all.values():
            if isinstance(scorer, TrlFunction):
                scorer.trainer = self.trainer

    @property
    def _all(self) -> dict[str, Scorer]:
        """Return the rewards and the gates, by name."""
        return self.rewards | self._gates

    def check(self, contrasts: Sequence[str]) -> None:
        """Raise UserError, before a run begins, if a reward or gate needs what the run does not give it."""
        for scorer in self._all.values():
            scorer.check(contrasts)

    def __call__(self, questions: Sequence[Question]) -> RewardValues:
        """Evaluate all rewards of all answers, question by question.

        Raise UserError that names the reward if one returns anything but usable numbers.
        """
        count = sum(len(question.group) for question in questions)
        raw = {name: _checked(name, _scores(name, scorer, questions), count) for name, scorer in self._all.items()}
        by_name = {
            name: _gated(raw[name], raw[item.gate] if item.gate else None) for name, item in self.settings.items()
        }
        weights = [item.weight for item in self.settings.values()]
        each = zip(*by_name.values(), strict=True)
        return RewardValues(by_name, [math.fsum(w * v for w, v in zip(weights, row, strict=True)) for row in each])


def _scores(name: str, scorer: Scorer, questions: Sequence[Question]) -> Sequence[Any]:
    """Return what a reward gives; a mistake in the data says which reward met it."""
    try:
        return scorer.scores(questions)
    except UserError as error:
        raise UserError(f"reward {name}: {error}") from None


def _gated(values: list[float], gate: list[float] | None) -> list[float]:
    """Return the values, 0 where the gate is shut."""
    return values if gate is None else [v if g > 0 else 0.0 for v, g in zip(values, gate, strict=True)]


def _checked(name: str, values: Any, count: int) -> list[float]:
    """Return what a reward returned, as finite numbers; None, by which TRL's rewards say "does not apply", as 0."""
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
