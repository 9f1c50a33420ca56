"""Rewards for reinforcement learning: plain callables as TRL calls them, chosen by name (``docs/rewards.md``)."""

from .direction import check_direction, direction, shuffle_bonus
from .form import format_answer, format_plain, format_think
from .grounding import parse_penalty, set_iou, time_aware_iou, tiou, wasserstein
from .qa import choice, grounded_choice
from .registry import REWARDS, columns_of, load_reward, register
from .reward import Reward, RewardFunction, group_reward, reward
from .row import RewardRow
from .total import RewardSettings, RewardSum, RewardValues

register(tiou, time_aware_iou, set_iou, wasserstein, parse_penalty)
register(format_think, format_answer, format_plain)
register(choice, grounded_choice)
register(direction, shuffle_bonus)

__all__ = [
    "REWARDS",
    "Reward",
    "RewardFunction",
    "RewardRow",
    "RewardSettings",
    "RewardSum",
    "RewardValues",
    "check_direction",
    "choice",
    "columns_of",
    "direction",
    "format_answer",
    "format_plain",
    "format_think",
    "grounded_choice",
    "group_reward",
    "load_reward",
    "parse_penalty",
    "register",
    "reward",
    "set_iou",
    "shuffle_bonus",
    "time_aware_iou",
    "tiou",
    "wasserstein",
]
