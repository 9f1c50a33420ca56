"""The policy: log-probabilities of sampled answers, and the objective on them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from timeground.models.loading import Loaded
from timeground.models.sampling import BARRED_LOGIT

from ..adapters import without_lora
from ..config import GrpoSettings
from ..data.batches import Batch
from ..model import PackedModel
from ..runtime.distributed import shard_frozen
from ..runtime.run import Run, load_model
from .loss import Divisor, Noted, PolicyInputs, policy_loss


class GrpoModel(PackedModel):
    """A model whose forward gives log-probabilities; `objective` makes a loss of them."""

    def __init__(self, loaded: Loaded, settings: GrpoSettings) -> None:
        super().__init__(loaded, settings.model, settings.engine.precision == "autocast")
        self.settings = settings

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return log-probability at the sampling temperature and entropy of each answer token, ``[N]``.

        Tokens that are never sampled are left out of the distribution here too.
        """
        logits = self.answer_logits(batch) / self.settings.sampling.temperature
        barred = torch.tensor(self.family.forbidden_ids, dtype=torch.long, device=logits.device)
        all_logprobs = logits.index_fill(1, barred, BARRED_LOGIT).log_softmax(-1)
        chosen = all_logprobs.gather(1, batch.targets_N.to(logits.device)[:, None])[:, 0]
        with torch.no_grad():
            entropy = -(all_logprobs.exp() * all_logprobs).sum(-1)
        return chosen, entropy

    def objective(
        self, tokens: tuple[Tensor, Tensor], batch: Batch, inputs: PolicyInputs, divisor: Divisor
    ) -> tuple[Tensor, Noted]:
        """Return the loss of a batch, and what is written down of its tokens. tokens: what `forward` gave."""
        logprobs_N, entropy_N = tokens
        answers_N = batch.answers_N.to(logprobs_N.device)
        loss, noted = policy_loss(logprobs_N, answers_N, inputs, self.settings.loss, divisor, self.settings.rollout)
        noted.sums["entropy"] = entropy_N.sum()
        return loss, noted


class Reference:
    """The model that a run began with: its adapters switched off, or a frozen second model."""

    def __init__(self, policy: GrpoModel, second: Any = None) -> None:
        """Take the policy.

        second: a model (or DeepSpeed engine) with the first weights; None where the policy has adapters.
        """
        self.policy, self.second = policy, second

    @torch.no_grad()
    def logprobs(self, engine: Any, batch: Batch) -> Tensor:
        """Return log-probabilities of a batch's answer tokens, ``[N]``."""
        if self.second is not None:
            return self.second(batch)[0]  # type: ignore[no-any-return]
        with without_lora(self.policy.model):
            return engine(batch)[0]  # type: ignore[no-any-return]


def make_reference(run: Run, settings: GrpoSettings) -> Reference:
    """Return the policy itself with adapters off, or a second, frozen model; under ZeRO-3 that one is sharded too."""
    policy: GrpoModel = run.engine.module
    if settings.model.lora is not None:
        return Reference(policy)
    loaded = load_model(run.loaded.checkpoint, settings.engine.precision)
    frozen = settings.model_copy(update={"model": settings.model.model_copy(update={"frozen": "vision"})})
    second: Any = GrpoModel(loaded, frozen).eval().requires_grad_(False)
    return Reference(policy, shard_frozen(second, settings.engine))
