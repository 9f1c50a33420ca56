"""The rewards of a recipe, evaluated and summed: weights, gates, the rows on which each counts, and a check of what
every reward returns."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from timeground.data.row_checks import shown
from timeground.data.rows import Row
from timeground.errors import UserError

from .registry import Scorer, load_reward
from .reward import Question
from .trl import Trainer, TrlFunction


class RewardSettings(BaseModel):
    """A reward in a recipe; a bare name stands for itself with the defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str
    """One of this package's, or ``package.module:function``."""
    label: str | None = Field(None, min_length=1)
    """What it is called in the log and by gates, instead of its name; a reward that is listed twice needs one."""
    rows: list[str] | None = Field(None, min_length=1)
    """It counts only on rows of these tasks (ground, choice, yes_no, events, open) and kinds (``meta["kind"]``)."""
    weight: float = Field(1.0, allow_inf_nan=False)
    """What its value is multiplied by before rewards are added."""
    gate: str | None = None
    """Another reward, by its label or name, that must be above 0 for this one to count (VideoRFT and Video-R1 give
    bonuses only to answers that are right)."""
    options: dict[str, Any] = Field(default_factory=dict)
    """The reward's own options, by name."""
    messages: bool = False
    """It takes prompts and completions as lists of messages, as TRL's own rewards do."""

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @property
    def title(self) -> str:
        """Return what it is called in the log and by gates."""
        return self.label or self.name

    def counts_on(self, row: Row) -> bool:
        """Return whether it counts on a row."""
        return self.rows is None or row.task in self.rows or row.meta.get("kind") in self.rows


@dataclass(frozen=True)
class RewardValues:
    """What the rewards of a recipe gave, for each answer."""

    by_name: dict[str, list[float]]
    """By title; unweighted, after gates, 0 on rows on which it does not count."""
    total: list[float]
    """Their weighted sum."""


class RewardSum:
    """The rewards of a recipe as one: ``total = sum of weight * reward``, a gated one where its gate is above 0."""

    def __init__(self, settings: Sequence[RewardSettings]) -> None:
        """Load every reward. Raise UserError for a name that is unknown or listed twice, or an option that is."""
        self.settings = {item.title: item for item in settings}
        if len(self.settings) < len(settings):
            titles = [item.title for item in settings]
            twice = next(title for title in titles if titles.count(title) > 1)
            raise UserError(
                f"reward {twice} is listed twice; list it once, its weight says how much it counts, or give each a "
                "label of its own"
            )
        if not settings:
            raise UserError("no rewards are listed; name at least one, for instance tiou")
        self.rewards: dict[str, Scorer] = {i.title: load_reward(i.name, i.options, i.messages) for i in settings}
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
        raw = {name: self._values(name, scorer, questions) for name, scorer in self._all.items()}
        by_name = {
            name: _gated(raw[name], raw[item.gate] if item.gate else None) for name, item in self.settings.items()
        }
        weights = [item.weight for item in self.settings.values()]
        each = zip(*by_name.values(), strict=True)
        return RewardValues(by_name, [math.fsum(w * v for w, v in zip(weights, row, strict=True)) for row in each])

    def counts(self, rows: Sequence[Row]) -> dict[str, list[bool]]:
        """Return whether each reward counts on each row."""
        return {title: [item.counts_on(row) for row in rows] for title, item in self.settings.items()}

    def _values(self, name: str, scorer: Scorer, questions: Sequence[Question]) -> list[float]:
        """Return the values of a reward or gate, which is asked only about the rows on which it counts; elsewhere 0."""
        item = self.settings.get(name)
        counts = [item is None or item.counts_on(question.row) for question in questions]
        asked = [question for question, counted in zip(questions, counts, strict=True) if counted]
        count = sum(len(question.group) for question in asked)
        found = iter(_checked(name, _scores(name, scorer, asked) if asked else [], count))
        return [
            next(found) if counted else 0.0
            for question, counted in zip(questions, counts, strict=True)
            for _ in question.group
        ]


def never_counting(settings: Sequence[RewardSettings], known: Collection[str], data: str) -> list[str]:
    """Return a line for each name in a reward's `rows` that is none of the tasks and kinds of rows that the data have.

    Kinds are anybody's own, so that it is no error.
    """
    some = ", ".join(sorted(known)[:20])
    return [
        f"reward {item.title}: no row of {data} is of task or kind {shown(name)}; there are {some}"
        for item in settings
        for name in item.rows or ()
        if name not in known
    ]


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
