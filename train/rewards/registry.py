"""Rewards by name: those of this package, and anybody's own by import path."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import partial
from typing import Any

from timeground.errors import UserError

from .calling import MADE_BY_TRAINER, required
from .reward import Reward, RewardFunction

REWARDS: dict[str, Reward] = {}
"""The rewards that a recipe can name."""


def register(*rewards: Reward) -> None:
    """Let recipes call rewards by their names."""
    REWARDS.update({reward.__name__: reward for reward in rewards})


def load_reward(name: str, options: Mapping[str, Any] | None = None) -> RewardFunction:
    """The reward of a name, or of an import path ``package.module:function``, with its options.

    Options of a function that is no Reward are handed to it as keywords. UserError if there is no such reward.
    """
    found: Any = REWARDS[name] if name in REWARDS else _import(name)
    if isinstance(found, Reward):
        return found.with_options(**options) if options else found
    return partial(found, **options) if options else found


def columns_of(reward: RewardFunction) -> tuple[str, ...]:
    """The columns that a reward needs: its attribute `columns`, else the parameters that have no default."""
    inner: Any = reward
    while isinstance(inner, partial):
        inner = inner.func
    declared = getattr(inner, "columns", None)
    if declared is not None:
        return tuple(declared)
    return tuple(name for name in required(reward) if name not in MADE_BY_TRAINER)


def _import(path: str) -> RewardFunction:
    """A function by its import path."""
    module_name, colon, name = path.partition(":")
    if not colon:
        names = ", ".join(sorted(REWARDS))
        raise UserError(f"unknown reward {path!r}; there are {names}, and your own as package.module:function")
    try:
        module = importlib.import_module(module_name)
    except (ImportError, ValueError) as error:
        raise UserError(f"reward {path}: cannot import {module_name!r}: {error}; is it on PYTHONPATH?") from None
    function = getattr(module, name, None)
    if not callable(function):
        raise UserError(f"reward {path}: {module_name} has no function {name!r}; correct the name")
    found: RewardFunction = function
    return found
