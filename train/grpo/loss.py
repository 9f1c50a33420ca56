"""The GRPO objective on flat answer tokens, and the gap between who samples and who learns.

Shape legend: N answer tokens, A answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..config import LossSettings, RolloutSettings


@dataclass(frozen=True)
class PolicyInputs:
    """What the objective needs beside the model's own log-probabilities."""

    advantages_A: Tensor
    old_N: Tensor | None = None
    """Log-probabilities under the policy that sampled; None: this one."""
    reference_N: Tensor | None = None
    """Log-probabilities under the model that the run began with; None: no divergence term."""
    sampled_N: Tensor | None = None
    """Log-probabilities as the engine that sampled told them, at the sampling temperature; None: not compared."""


@dataclass(frozen=True)
class Noted:
    """What is written down of a part of an update."""

    sums: dict[str, Tensor]
    """Sums over tokens; the log has their means."""
    largest_gap: Tensor
    """The largest difference between the log-probabilities of who sampled and who learns."""

    def __add__(self, other: Noted) -> Noted:
        """Return what is written down of both parts."""
        sums = {name: value + other.sums[name] for name, value in self.sums.items()}
        return Noted(sums, torch.maximum(self.largest_gap, other.largest_gap))


@dataclass(frozen=True)
class Divisor:
    """What a whole update is divided by, over all its processes."""

    tokens: int
    answers: int
    max_tokens: int
    """Tokens of the longest answer allowed."""


def policy_loss(
    logprobs_N: Tensor,
    answers_N: Tensor,
    inputs: PolicyInputs,
    settings: LossSettings,
    divisor: Divisor,
    rollout: RolloutSettings | None = None,
) -> tuple[Tensor, Noted]:
    """Return the clipped objective of a part of an update, and what is written down of its tokens.

    ratio `sequence`: the mean log-ratio of an answer stands for each of its tokens (GSPO, arXiv 2507.18071).
    rollout: what is done about `inputs.sampled_N`.
    """
    old_N = logprobs_N.detach() if inputs.old_N is None else inputs.old_N
    log_ratio_N = logprobs_N - old_N
    lengths_A = torch.zeros_like(inputs.advantages_A).index_add(0, answers_N, torch.ones_like(logprobs_N))
    if settings.ratio == "sequence":
        sums_A = torch.zeros_like(inputs.advantages_A).index_add(0, answers_N, log_ratio_N)
        log_ratio_N = (sums_A / lengths_A)[answers_N]
    ratio_N = log_ratio_N.exp()
    clipped_N = ratio_N.clamp(1 - settings.clip_low, 1 + settings.clip_high)
    advantages_N = inputs.advantages_A[answers_N]
    loss_N = -torch.minimum(ratio_N * advantages_N, clipped_N * advantages_N)
    at_bound_N = ((ratio_N < 1 - settings.clip_low) & (advantages_N < 0)) | (
        (ratio_N > 1 + settings.clip_high) & (advantages_N > 0)
    )
    noted = Noted({"clipped": at_bound_N.float().sum()}, torch.zeros((), device=loss_N.device))
    if inputs.sampled_N is not None:
        weights_N, gaps = correction(old_N, inputs.sampled_N, rollout or RolloutSettings())
        loss_N, noted = loss_N * weights_N, Noted(noted.sums | gaps.sums, gaps.largest_gap)
    if inputs.reference_N is not None:
        kl_N = k3(logprobs_N, inputs.reference_N)
        noted.sums["kl"] = kl_N.detach().sum()
        loss_N = loss_N + settings.kl * (kl_N * ratio_N if settings.kl_corrected else kl_N)
    return (loss_N * _weights(answers_N, lengths_A, settings, divisor)).sum(), noted


def k3(logprobs_N: Tensor, reference_N: Tensor) -> Tensor:
    """Return Schulman's k3 estimate of the divergence from a reference: ``exp(d) - d - 1``, d = reference - own."""
    difference = reference_N - logprobs_N
    return difference.exp() - difference - 1


def _weights(answers_N: Tensor, lengths_A: Tensor, settings: LossSettings, divisor: Divisor) -> Tensor:
    if settings.normalisation == "sequence":
        return 1 / (lengths_A[answers_N] * divisor.answers)
    count = divisor.tokens if settings.normalisation == "token" else divisor.answers * divisor.max_tokens
    return torch.full_like(answers_N, 1, dtype=torch.float32) / count


def correction(trainer_N: Tensor, sampler_N: Tensor, settings: RolloutSettings) -> tuple[Tensor, Noted]:
    """Return weights of the tokens' losses, and what is written down of the gap.

    trainer_N, sampler_N: log-probabilities at the sampling temperature, by the same weights. The weights are 1, or with
    truncated importance sampling the ratio of the two probabilities, cut off above. No gradient flows through them.
    """
    sampler_N = sampler_N.to(trainer_N.device)
    difference_N = trainer_N.detach() - sampler_N
    gap_N = difference_N.abs()
    sums = {"logprob_gap": gap_N.sum(), "logprob_gap_beyond": (gap_N > settings.logprob_bound).float().sum()}
    bound = settings.truncated_importance_sampling
    if bound is None:
        return torch.ones_like(trainer_N), Noted(sums, gap_N.max())
    ratio_N = difference_N.exp()
    sums["importance_truncated"] = (ratio_N > bound).float().sum()
    return ratio_N.clamp(max=bound), Noted(sums, gap_N.max())
