"""Rewards of rollouts: what reward functions are given, and tensors of what they say.

Shape legend: Q questions of a rollout, G answers of a group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from timeground.data.rows import Row
from timeground.grammar.answers import parse_spans
from timeground.scoring import parse, whole_iou

from ..config import GrpoSettings
from ..rewards import Contrasts, Question, RewardSum
from ..rollout.engine import Rollout


@dataclass(frozen=True)
class Scored:
    """A rollout with its rewards, ``[Q, G]``: the weighted sum, each by name, and the plain IoU of set with truth."""

    rollout: Rollout
    total_QG: Tensor
    each_QG: dict[str, Tensor]
    counts_Q: dict[str, Tensor]
    """Whether each reward counts on the question's row."""
    iou_QG: Tensor
    parsed_QG: Tensor
    finished_QG: Tensor

    def sample(self) -> dict[str, Any]:
        """Return the first question with its answers and rewards, for the table of samples."""
        row = self.rollout.rows[0]
        return {
            "id": row.id,
            "query": row.question or row.query,
            "spans": [s.to_list() for s in row.spans],
            "contrast": self.rollout.contrast.name if self.rollout.contrast else None,
            "answers": self.rollout.texts[0],
            "rewards": [round(r, 4) for r in self.total_QG[0].tolist()],
        }

    @property
    def is_silent(self) -> bool:
        """Return whether no group has any spread, so that nothing is learnt from it."""
        return bool((self.total_QG == self.total_QG[:, :1]).all())


def make_rewards(settings: GrpoSettings) -> RewardSum:
    """Return the rewards of a recipe; raise UserError if one needs what the run does not give it."""
    rewards = RewardSum(settings.rewards)
    rewards.check([contrast.entry.name for contrast in settings.contrasts])
    return rewards


def score(rollouts: Sequence[Rollout], rewards: RewardSum) -> list[Scored]:
    """Return each rollout with its rewards."""
    return [_score(rollout, rewards) for rollout in rollouts]


def _score(rollout: Rollout, rewards: RewardSum) -> Scored:
    shape = (len(rollout.answers), -1)
    values = rewards(questions(rollout))
    return Scored(
        rollout,
        torch.tensor(values.total).view(shape),
        {name: torch.tensor(each).view(shape) for name, each in values.by_name.items()},
        {name: torch.tensor(each) for name, each in rewards.counts(rollout.rows).items()},
        plain_ious(rollout),
        torch.tensor(
            [
                [float(parse(t, row).parsed) for t in group]
                for row, group in zip(rollout.rows, rollout.texts, strict=True)
            ]
        ),
        torch.tensor([[float(a.status == "answered") for a in group] for group in rollout.answers]),
    )


def questions(rollout: Rollout) -> list[Question]:
    """Return what rewards are given of a rollout: each row with its group of answers."""
    return [
        Question(row, group, _contrasts(rollout, q, row), asked)
        for q, (row, group, asked) in enumerate(zip(rollout.rows, rollout.answers, rollout.asked, strict=True))
    ]


def _contrasts(rollout: Rollout, q: int, row: Row) -> Contrasts:
    """Return what is known of changed clips beside the q-th question."""
    answers = {name: groups[q] for name, groups in rollout.contrasts.items()}
    contrast = rollout.contrast
    if contrast is None:
        return Contrasts(answers)
    return Contrasts(answers, contrast.name, contrast.keeps_truth(row))


def plain_ious(rollout: Rollout) -> Tensor:
    """Return IoU of the set of spans said with the true set, for each answer, ``[Q, G]``; 0 for what is no answer."""

    def one(text: str, row: Row) -> float:
        return whole_iou(parse_spans(text, query=row.query), row.spans)

    return torch.tensor([[one(t, row) for t in group] for row, group in zip(rollout.rows, rollout.texts, strict=True)])
