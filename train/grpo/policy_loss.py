"""The GRPO objective on flat answer tokens.

Shape legend: N answer tokens, A answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .off_policy import correction
from .settings import LossSettings, RolloutSettings


@dataclass(frozen=True)
class PolicyInputs:
    """What the objective needs beside the model's own log-probabilities.

    advantages_A: of each answer. old_N: log-probabilities under the policy that sampled (None: this one).
    reference_N: under the model that the run began with (None: no divergence term). sampled_N: as the engine that
    sampled told them, at the sampling temperature (None: not compared).
    """

    advantages_A: Tensor
    old_N: Tensor | None = None
    reference_N: Tensor | None = None
    sampled_N: Tensor | None = None


@dataclass(frozen=True)
class Divisor:
    """What a whole update is divided by, over all its processes. max_tokens: the longest answer allowed."""

    tokens: int
    answers: int
    max_tokens: int


def policy_loss(
    logprobs_N: Tensor,
    answers_N: Tensor,
    inputs: PolicyInputs,
    settings: LossSettings,
    divisor: Divisor,
    rollout: RolloutSettings | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The clipped objective of a part of an update, and sums over its tokens for the log: `kl` and `clipped`.

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
    sums = {"clipped": at_bound_N.float().sum()}
    if inputs.sampled_N is not None:
        weights_N, gaps = correction(old_N, inputs.sampled_N, rollout or RolloutSettings())
        loss_N, sums = loss_N * weights_N, sums | gaps
    if inputs.reference_N is not None:
        kl_N = k3(logprobs_N, inputs.reference_N)
        sums["kl"] = kl_N.detach().sum()
        loss_N = loss_N + settings.kl * (kl_N * ratio_N if settings.kl_corrected else kl_N)
    return (loss_N * _weights(answers_N, lengths_A, settings, divisor)).sum(), sums


def k3(logprobs_N: Tensor, reference_N: Tensor) -> Tensor:
    """Schulman's k3 estimate of the divergence from a reference: ``exp(d) - d - 1``, d = reference - own."""
    difference = reference_N - logprobs_N
    return difference.exp() - difference - 1


def _weights(answers_N: Tensor, lengths_A: Tensor, settings: LossSettings, divisor: Divisor) -> Tensor:
    if settings.normalisation == "sequence":
        return 1 / (lengths_A[answers_N] * divisor.answers)
    count = divisor.tokens if settings.normalisation == "token" else divisor.answers * divisor.max_tokens
    return torch.full_like(answers_N, 1, dtype=torch.float32) / count
