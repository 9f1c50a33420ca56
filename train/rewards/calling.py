"""Calling a reward as TRL's GRPOTrainer calls it (1.16): with everything by keyword, coroutines awaited."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .reading import texts_of
from .reward import RewardFunction

MADE_BY_TRAINER = ("completions", "prompts", "completion_ids", "trainer_state", "log_metric", "log_extra")
"""What every reward function is given beside the data's columns."""


@dataclass
class TrainerState:
    """How far a run is, by the names of transformers' state of that name: steps behind it, and in all."""

    global_step: int = 0
    max_steps: int = 0


@dataclass
class Trainer:
    """What a reward function may ask of its trainer. logged: what it had written down, by name."""

    state: TrainerState = field(default_factory=TrainerState)
    logged: dict[str, list[float]] = field(default_factory=dict)

    def log_metric(self, name: str, value: float) -> None:
        """Write a number down; the mean of a step goes into its metrics."""
        self.logged.setdefault(name, []).append(float(value))

    def log_extra(self, column: str, values: Sequence[Any]) -> None:
        """Take a column for TRL's table of completions, which this trainer does not have."""

    def means(self) -> dict[str, float]:
        """The mean of each number since the last call."""
        found = {name: sum(values) / len(values) for name, values in self.logged.items()}
        self.logged.clear()
        return found

    def given(self) -> dict[str, Any]:
        """As keywords."""
        return {"trainer_state": self.state, "log_metric": self.log_metric, "log_extra": self.log_extra}


def call(function: RewardFunction, completions: Sequence[Any], columns: Mapping[str, Any], messages: bool) -> Any:
    """What a reward function returns.

    messages: it wants prompts and completions as lists of messages, as TRL gives them for conversational data. A
    function without ``**kwargs`` is given only what it names.
    """
    given: dict[str, Any] = {"completions": list(completions), **columns}
    if messages:
        given["completions"] = [_said("assistant", text) for text in texts_of(completions)]
        if "prompts" in given:
            given["prompts"] = [p if isinstance(p, list) else _said("user", p) for p in given["prompts"]]
    parameters = _parameters(function)
    if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
        names = {p.name for p in parameters}
        given = {name: value for name, value in given.items() if name in names} if parameters else given
    found = function(**given)
    return asyncio.run(_awaited(found)) if inspect.isawaitable(found) else found


def required(function: RewardFunction) -> tuple[str, ...]:
    """Names that a function cannot be called without."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return tuple(p.name for p in _parameters(function) if p.kind in kinds and p.default is inspect.Parameter.empty)


def _parameters(function: RewardFunction) -> list[inspect.Parameter]:
    """Its parameters; none where Python cannot tell."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def _said(role: str, text: str) -> list[dict[str, str]]:
    return [{"role": role, "content": text}]


async def _awaited(found: Any) -> Any:
    return await found
