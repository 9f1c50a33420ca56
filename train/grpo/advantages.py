"""From rewards to advantages: how much better an answer is than the others to the same question.

Shape legend: Q questions (groups), G answers of a group.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

EPSILON = 1e-4
"""Added to a spread before dividing by it, as TRL and the published trainers do."""


def advantages(rewards_QG: Tensor, scale: Literal["group", "batch", "none"], batch_std: float = 0.0) -> Tensor:
    """Return rewards minus their group's mean (GRPO, arXiv 2402.03300), over a spread unless `scale` is none.

    batch_std: the spread of all rewards of the update, over all processes; used with `batch`.
    """
    centred = rewards_QG - rewards_QG.mean(dim=1, keepdim=True)
    if scale == "group":
        return centred / (spread(rewards_QG)[:, None] + EPSILON)
    return centred / (batch_std + EPSILON) if scale == "batch" else centred


def spread(rewards_QG: Tensor) -> Tensor:
    """Return standard deviation inside each group, ``[Q]``; 0 for a group of one."""
    if rewards_QG.shape[1] == 1:
        return torch.zeros(len(rewards_QG))
    return rewards_QG.std(dim=1)


def difficulty_weights(ious_QG: Tensor, tau: float) -> Tensor:
    """Return ArrowGEV's weight of each group, ``exp((1 - mean IoU) / tau)``, ``[Q]``: hard questions count more."""
    return ((1.0 - ious_QG.mean(dim=1)) / tau).exp()
