"""Rewards by name: those of this package, listed here, and anybody's own by import path."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from timeground.errors import UserError
from timeground.named import imported

from .direction import direction, shuffle_bonus
from .events import events
from .form import format_answer, format_plain, format_think
from .grounding import parse_penalty, set_iou, time_aware_iou, tiou, wasserstein
from .qa import choice, exact, grounded_choice
from .reward import GIVEN, Question, Reward
from .trl import TrlFunction

FUNCTIONS: dict[str, Callable[..., float]] = {
    function.__name__: function
    for function in (
        tiou, time_aware_iou, set_iou, wasserstein, parse_penalty,
        format_think, format_answer, format_plain,
        choice, grounded_choice, exact, events,
        direction, shuffle_bonus,
    )
}  # fmt: skip
"""The rewards that a recipe can name."""


class Scorer(Protocol):
    """What scores answers: a reward of ours, or a function written for TRL."""

    def scores(self, questions: Sequence[Question]) -> Sequence[Any]:
        """Return a number for each answer of several questions, question by question."""
        ...

    def check(self, contrasts: Sequence[str]) -> None:
        """Raise UserError, before a run begins, if it needs what the run does not give."""
        ...


def load_reward(name: str, options: Mapping[str, Any] | None = None, messages: bool = False) -> Scorer:
    """Return the reward of a name, or of an import path ``package.module:function``, with its options.

    A function that names ``completions`` is called as TRL calls it, with messages if asked. Raise UserError if there is
    none.
    """
    function = FUNCTIONS[name] if name in FUNCTIONS else imported(name, "reward", FUNCTIONS)
    if not callable(function):
        raise UserError(f"reward {name}: that is no function; correct the name")
    named = set(_parameters(function))
    if named & set(GIVEN) and "completions" not in named:
        return Reward(function, options)
    return TrlFunction(function, name, options, messages)


def _parameters(function: Any) -> list[str]:
    """Return the names of a function's parameters; none where Python cannot tell."""
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []
