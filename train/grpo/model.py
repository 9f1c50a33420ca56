"""The policy: log-probabilities of sampled answers, and the objective on them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from timeground.models.loading import Loaded
from timeground.models.sampling import BARRED_LOGIT

from ..adapters import without_lora
from ..batches import Batch
from ..packed_model import PackedModel
from .policy_loss import Divisor, PolicyInputs, policy_loss
from .settings import GrpoSettings


class GrpoModel(PackedModel):
    """A model whose forward is the objective, or with no `inputs` the log-probabilities of all answer tokens."""

    def __init__(self, loaded: Loaded, settings: GrpoSettings) -> None:
        super().__init__(loaded, settings.model, settings.engine.precision == "autocast")
        self.settings = settings

    def forward(
        self, batch: Batch, inputs: PolicyInputs | None = None, divisor: Divisor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """(loss, sums over tokens for the log); without inputs (log-probabilities ``[N]``, nothing)."""
        logprobs_N, entropy_N = self.logprobs(batch)
        if inputs is None or divisor is None:
            return logprobs_N, {}
        answers_N = batch.answers_N.to(logprobs_N.device)
        loss, sums = policy_loss(logprobs_N, answers_N, inputs, self.settings.loss, divisor, self.settings.rollout)
        return loss, {**sums, "entropy": entropy_N.sum()}

    def logprobs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Log-probability at the sampling temperature and entropy of each answer token, ``[N]``.

        Tokens that are never sampled are left out of the distribution here too.
        """
        logits = self.answer_logits(batch) / self.settings.sampling.temperature
        barred = torch.tensor(self.family.forbidden_ids, dtype=torch.long, device=logits.device)
        all_logprobs = logits.index_fill(1, barred, BARRED_LOGIT).log_softmax(-1)
        chosen = all_logprobs.gather(1, batch.targets_N.to(logits.device)[:, None])[:, 0]
        with torch.no_grad():
            entropy = -(all_logprobs.exp() * all_logprobs).sum(-1)
        return chosen, entropy


class Reference:
    """The model that a run began with: its adapters switched off, or a frozen second model."""

    def __init__(self, policy: GrpoModel, second: Any = None) -> None:
        """second: a model (or DeepSpeed engine) with the first weights; None where the policy has adapters."""
        self.policy, self.second = policy, second

    @torch.no_grad()
    def logprobs(self, engine: Any, batch: Batch) -> Tensor:
        """Log-probabilities of a batch's answer tokens, ``[N]``."""
        if self.second is not None:
            return self.second(batch)[0]  # type: ignore[no-any-return]
        with without_lora(self.policy.model):
            return engine(batch)[0]  # type: ignore[no-any-return]
