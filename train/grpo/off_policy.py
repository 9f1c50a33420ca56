"""The gap between who samples and who learns: log-probabilities of the same tokens, told by two engines.

Shape legend: N answer tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .settings import RolloutSettings

LARGEST = "logprob_gap_max"
"""The one thing in the log that is a maximum over tokens, and not a mean."""


def correction(trainer_N: Tensor, sampler_N: Tensor, settings: RolloutSettings) -> tuple[Tensor, dict[str, Tensor]]:
    """Weights of the tokens' losses, and for the log sums over them (and the largest gap).

    trainer_N, sampler_N: log-probabilities at the sampling temperature, by the same weights. The weights are 1, or with
    truncated importance sampling the ratio of the two probabilities, cut off above. No gradient flows through them.
    """
    sampler_N = sampler_N.to(trainer_N.device)
    difference_N = trainer_N.detach() - sampler_N
    gap_N = difference_N.abs()
    noted = {
        "logprob_gap": gap_N.sum(),
        "logprob_gap_beyond": (gap_N > settings.logprob_bound).float().sum(),
        LARGEST: gap_N.max(),
    }
    bound = settings.truncated_importance_sampling
    if bound is None:
        return torch.ones_like(trainer_N), noted
    ratio_N = difference_N.exp()
    return ratio_N.clamp(max=bound), {**noted, "importance_truncated": (ratio_N > bound).float().sum()}
