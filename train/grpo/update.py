"""One policy update: packed batches of a step's answers, each with its advantages, through the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import torch
from torch import Tensor

from timeground.errors import UserError

from ..config import GrpoSettings
from ..data.batches import Batch, pack
from ..runtime.distributed import gradient_norm, largest_over_ranks, sum_over_ranks, world_size
from ..runtime.run import Run
from .advantages import advantages, difficulty_weights
from .loss import Divisor, Noted, PolicyInputs
from .model import Reference
from .scoring import Scored


@dataclass(frozen=True)
class Prepared:
    """A micro-batch with what the objective needs for it."""

    batch: Batch
    inputs: PolicyInputs
    rows: list[str]


class Updater:
    """Turns scored clips into steps of the optimizer."""

    def __init__(self, run: Run, settings: GrpoSettings, max_tokens: int, reference: Reference | None) -> None:
        """Prepare the updates of a run.

        max_tokens: of the longest answer allowed. reference: the model that the phase began with, for `loss.kl`.
        """
        self.engine, self.visual_ids = run.engine, run.visual_ids
        self.settings, self.max_tokens, self.reference = settings, max_tokens, reference

    def update(self, clips: Sequence[Sequence[Scored]], reward_std: float, step: int) -> dict[str, float]:
        """Train on a step's answers, `updates_per_rollout` times over; means for the log."""
        size = self.settings.videos_per_micro_batch
        chunks = [[s for clip in clips[i : i + size] for s in clip] for i in range(0, len(clips), size)]
        prepared = [self._prepare(chunk, reward_std) for chunk in chunks]
        divisor = self._divisor(prepared)
        parts: list[Noted] = []
        norm, passes = 0.0, self.settings.updates_per_rollout
        for _ in range(passes):
            norm = self._pass(prepared, divisor, parts, step)
        noted = reduce(add, parts)
        means = {name: float(sum_over_ranks(v)) / (divisor.tokens * passes) for name, v in noted.sums.items()}
        loss = means.pop("loss") * divisor.tokens / world_size()
        means["logprob_gap_max"] = float(largest_over_ranks(noted.largest_gap))
        return {"loss": loss, **means, "grad_norm": norm, "answer_tokens": divisor.tokens / divisor.answers}

    def _prepare(self, scored: Sequence[Scored], reward_std: float) -> Prepared:
        rollouts = [s.rollout for s in scored]
        batch = pack([example for r in rollouts for example in r.examples], self.visual_ids)
        advantages_A = torch.cat([self._advantages(s, reward_std).flatten()[s.rollout.order] for s in scored])
        old_N = reference_N = None
        if self.settings.updates_per_rollout > 1:
            with torch.no_grad():
                old_N = self.engine(batch)[0]
        if self.reference is not None:
            reference_N = self.reference.logprobs(self.engine, batch)
        rows = [row.id for rollout in rollouts for row in rollout.rows]
        sampled_N = torch.tensor([x for rollout in rollouts for x in rollout.logprobs])
        if len(sampled_N) != len(batch.targets_N):
            raise UserError(
                f"rollouts tell log-probabilities of {len(sampled_N)} tokens, and {len(batch.targets_N)} were sampled"
            )
        return Prepared(batch, PolicyInputs(advantages_A.to(self.engine.device), old_N, reference_N, sampled_N), rows)

    def _advantages(self, scored: Scored, reward_std: float) -> Tensor:
        settings = self.settings.loss
        found = advantages(scored.total_QG, settings.scale, reward_std)
        if settings.difficulty_tau is not None:
            found = found * difficulty_weights(scored.iou_QG, settings.difficulty_tau)[:, None]
        return found

    def _divisor(self, prepared: Sequence[Prepared]) -> Divisor:
        counts = torch.tensor(
            [sum(len(p.batch.targets_N) for p in prepared), sum(p.batch.num_answers for p in prepared)],
            device=self.engine.device,
        )
        tokens, answers = sum_over_ranks(counts).tolist()
        return Divisor(tokens, answers, self.max_tokens)

    def _pass(self, prepared: Sequence[Prepared], divisor: Divisor, parts: list[Noted], step: int) -> float:
        """Take a step of the optimizer over all micro-batches; add to `parts`, and return the gradient's norm."""
        norm = None
        share = world_size() * len(prepared)  # the engine takes means over processes and micro-batches
        for part in prepared:
            tokens = self.engine(part.batch)
            loss, noted = self.engine.module.objective(tokens, part.batch, part.inputs, divisor)
            if not torch.isfinite(loss):
                raise UserError(
                    f"the loss of step {step} is {loss.item()} at rows {', '.join(part.rows)}; "
                    "lower optimizer.lr or look at these rows"
                )
            self.engine.backward(loss * share)
            norm = gradient_norm(self.engine)
            self.engine.step()
            noted.sums["loss"] = loss.detach()
            parts.append(noted)
        return float(norm or self.engine.get_global_grad_norm() or 0.0)
