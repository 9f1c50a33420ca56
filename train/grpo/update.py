"""One policy update: packed batches of a step's answers, each with its advantages, through the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from timeground.errors import UserError

from .. import engine as engines
from ..batches import Batch, pack
from .advantages import advantages, difficulty_weights
from .model import Reference
from .off_policy import LARGEST
from .policy_loss import Divisor, PolicyInputs
from .scoring import Scored
from .settings import GrpoSettings


@dataclass(frozen=True)
class Prepared:
    """A micro-batch with what the objective needs for it."""

    batch: Batch
    inputs: PolicyInputs
    rows: list[str]


class Updater:
    """Turns scored clips into steps of the optimizer."""

    def __init__(self, engine: Any, settings: GrpoSettings, visual_ids: tuple[int, int], max_tokens: int) -> None:
        self.engine, self.settings, self.visual_ids, self.max_tokens = engine, settings, visual_ids, max_tokens
        self.reference: Reference | None = None

    def update(self, clips: Sequence[Sequence[Scored]], reward_std: float, step: int) -> dict[str, float]:
        """Train on a step's answers, `updates_per_rollout` times over; means for the log."""
        size = self.settings.videos_per_micro_batch
        chunks = [[s for clip in clips[i : i + size] for s in clip] for i in range(0, len(clips), size)]
        prepared = [self._prepare(chunk, reward_std) for chunk in chunks]
        divisor = self._divisor(prepared)
        sums: dict[str, Tensor] = {}
        norm = 0.0
        for _ in range(self.settings.updates_per_rollout):
            norm = self._pass(prepared, divisor, sums, step)
        passes = self.settings.updates_per_rollout
        largest = _largest_over_ranks(sums.pop(LARGEST))
        means = {name: float(engines.sum_over_ranks(v)) / (divisor.tokens * passes) for name, v in sums.items()}
        loss = means.pop("loss") * divisor.tokens / engines.world_size()
        means[LARGEST] = largest
        return {"loss": loss, **means, "grad_norm": norm, "answer_tokens": divisor.tokens / divisor.answers}

    def _prepare(self, scored: Sequence[Scored], reward_std: float) -> Prepared:
        batch = pack([s.rollout.example for s in scored], self.visual_ids)
        advantages_A = torch.cat([self._advantages(s, reward_std).flatten() for s in scored]).to(self.engine.device)
        old_N = reference_N = None
        if self.settings.updates_per_rollout > 1:
            with torch.no_grad():
                old_N = self.engine(batch)[0]
        if self.reference is not None:
            reference_N = self.reference.logprobs(self.engine, batch)
        rows = [row.id for s in scored for row in s.rollout.rows]
        sampled_N = torch.tensor(
            [x for s in scored for group in s.rollout.logprobs for answer in group for x in answer]
        )
        return Prepared(batch, PolicyInputs(advantages_A, old_N, reference_N, sampled_N), rows)

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
        tokens, answers = engines.sum_over_ranks(counts).tolist()
        return Divisor(tokens, answers, self.max_tokens)

    def _pass(self, prepared: Sequence[Prepared], divisor: Divisor, sums: dict[str, Tensor], step: int) -> float:
        """One step of the optimizer over all micro-batches; adds to `sums`, returns the gradient's norm."""
        norm = None
        share = engines.world_size() * len(prepared)  # the engine takes means over processes and micro-batches
        for part in prepared:
            loss, noted = self.engine(part.batch, part.inputs, divisor)
            if not torch.isfinite(loss):
                raise UserError(
                    f"the loss of step {step} is {loss.item()} at rows {', '.join(part.rows)}; "
                    "lower optimizer.lr or look at these rows"
                )
            self.engine.backward(loss * share)
            norm = engines.gradient_norm(self.engine)
            self.engine.step()
            for name, value in (*noted.items(), ("loss", loss.detach())):
                before = sums.get(name, torch.zeros_like(value))
                sums[name] = torch.maximum(before, value) if name == LARGEST else before + value
        return float(norm or self.engine.get_global_grad_norm() or 0.0)


def _largest_over_ranks(value: Tensor) -> float:
    """The largest of all processes' values."""
    if engines.world_size() > 1:
        torch.distributed.all_reduce(value := value.clone(), torch.distributed.ReduceOp.MAX)
    return float(value)
