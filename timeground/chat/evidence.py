"""How much each sign speaks for a part of a video, as a search weighs it; a profile holds what was fitted.

Signs are probabilities: what the model says to "does this happen here?", to "does it happen between these times?", how
likely its own answer was, by how much an option leads, how well a frame fits a query. A mix is a logistic regression on
their log odds; `timeground eval --calibrate` fits one for each use.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args

from timeground.chat.confidence import log_odds, probability
from timeground.errors import UserError

Sign = Literal["happens", "between", "proposal", "margin", "frames"]
SIGNS: tuple[Sign, ...] = get_args(Sign)
Evidence = Mapping[Sign, float]
_MOST = 1e3


@dataclass(frozen=True)
class Mix:
    """A logistic regression on the log odds of signs; without weights, the mean of the log odds that are there."""

    weights: Mapping[Sign, float] = field(default_factory=dict)
    shift: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no weight; UserError says which."""
        for name, value in (*self.weights.items(), ("shift", self.shift)):
            if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _MOST:
                raise UserError(f"{name} is {value!r}, expected a number from {-_MOST:g} to {_MOST:g}")
        if unknown := sorted(set(self.weights) - set(SIGNS)):
            raise UserError(f"there is no sign {', '.join(unknown)}; there are: {', '.join(SIGNS)}")

    def __call__(self, evidence: Evidence) -> float:
        """Return the probability that the signs come to; one that is not there says nothing."""
        odds = {sign: log_odds(value) for sign, value in evidence.items()}
        if not self.weights:
            return probability(statistics.fmean(odds.values())) if odds else 0.5
        return probability(self.shift + sum(self.weights.get(sign, 0.0) * value for sign, value in odds.items()))

    def to_json(self) -> dict[str, float]:
        """Return it as plain data."""
        return {**{str(sign): value for sign, value in self.weights.items()}, "shift": self.shift}

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Return the mix of plain data; UserError says what is wrong in it."""
        if not isinstance(value, dict):
            raise UserError(f'a mix is {value!r}, expected an object such as {{"happens": 0.5, "shift": 0.0}}')
        return cls({sign: one for sign, one in value.items() if sign != "shift"}, value.get("shift", 0.0))


@dataclass(frozen=True)
class SearchFit:
    """What was fitted for searching."""

    order: Mix = Mix()
    """How likely a part that was not looked at closely holds what is looked for."""
    answer: Mix = Mix()
    """How likely a span that was found is right."""
    found: float = 0.5
    """From this score on a span counts as found."""
    sure: float = 0.9
    """From this score on nothing else is looked for, where nothing else is likely."""

    def __post_init__(self) -> None:
        """Refuse thresholds that are no probabilities."""
        for name in ("found", "sure"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                raise UserError(f"{name} is {value!r}, expected a number from 0 to 1")

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        mixes = {"order": self.order.to_json(), "answer": self.answer.to_json()}
        return {**mixes, "found": self.found, "sure": self.sure}

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Return what plain data says; UserError says what is wrong in it."""
        names = ("order", "answer", "found", "sure")
        if not isinstance(value, dict) or set(value) - set(names):
            raise UserError(f"search is {value!r}, expected an object with {', '.join(names)}")
        try:
            mixes = {name: Mix.from_json(value[name]) for name in ("order", "answer") if name in value}
            return cls(**{**value, **mixes})
        except UserError as error:
            raise UserError(f"search: {error}") from None
