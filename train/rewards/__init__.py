"""Rewards for reinforcement learning: functions of an answer and its row, chosen by name (``docs/rewards.md``)."""

from .registry import FUNCTIONS, load_reward
from .reward import AS_IT_IS, Contrasts, Question, Reward, needs_contrast
from .total import RewardSettings, RewardSum, RewardValues, never_counting
from .trl import TrlReward, as_trl

REWARDS = {name: as_trl(function) for name, function in FUNCTIONS.items()}
"""Our rewards by name, as functions that TRL's GRPOTrainer takes."""

__all__ = [
    "AS_IT_IS",
    "FUNCTIONS",
    "REWARDS",
    "Contrasts",
    "Question",
    "Reward",
    "RewardSettings",
    "RewardSum",
    "RewardValues",
    "TrlReward",
    "as_trl",
    "load_reward",
    "needs_contrast",
    "never_counting",
]
