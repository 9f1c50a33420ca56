"""Rewards of rollouts: the columns that reward functions are given, and tensors of what they say.

Shape legend: Q questions of a rollout, G answers of a group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.grammar.answers import parse_spans
from timeground.spans import set_iou

from ..rewards import RewardSum, check_direction
from .rollout import Rollout
from .settings import GrpoSettings


@dataclass(frozen=True)
class Scored:
    """A rollout with its rewards, ``[Q, G]``: the weighted sum, each by name, and the plain IoU of set with truth."""

    rollout: Rollout
    total_QG: Tensor
    each_QG: dict[str, Tensor]
    iou_QG: Tensor
    parsed_QG: Tensor
    finished_QG: Tensor

    def sample(self) -> dict[str, Any]:
        """The first question with its answers and rewards, for the table of samples."""
        row = self.rollout.rows[0]
        return {
            "id": row.id,
            "query": row.question or row.query,
            "spans": [s.to_list() for s in row.spans],
            "is_backward": self.rollout.is_backward,
            "answers": self.rollout.texts[0],
            "rewards": [round(r, 4) for r in self.total_QG[0].tolist()],
        }

    @property
    def is_silent(self) -> bool:
        """Whether no group has any spread, so that nothing is learnt from it."""
        return bool((self.total_QG == self.total_QG[:, :1]).all())


def make_rewards(settings: GrpoSettings) -> RewardSum:
    """The rewards of a recipe; UserError if one needs what the run does not give it, or none could teach anything."""
    if settings.sampling.group_size < 2:
        raise UserError(
            "recipe: sampling.group_size 1: an answer is compared with the others to its question, and one alone would "
            "teach nothing; give 2 or more"
        )
    rewards = RewardSum(settings.rewards)
    given = {*row_columns(Row("", "", 1.0)), "is_backward", "group"}
    given |= {"backward"} if settings.sampling.backward != "none" else set()
    given |= {"shuffled"} if settings.sampling.shuffled else set()
    for reward in settings.rewards:
        if reward.name == "direction":
            check_direction(settings.sampling.backward, reward.options.get("truth", "answer"))
    rewards.check_columns(given)
    return rewards


def score(rollouts: Sequence[Rollout], rewards: RewardSum) -> list[Scored]:
    """The rewards of each rollout."""
    return [_score(number, rollout, rewards) for number, rollout in enumerate(rollouts)]


def _score(number: int, rollout: Rollout, rewards: RewardSum) -> Scored:
    shape = (len(rollout.texts), -1)
    completions = [text for group in rollout.texts for text in group]
    values = rewards(completions, **columns(rollout, number))
    return Scored(
        rollout,
        torch.tensor(values.total).view(shape),
        {name: torch.tensor(each).view(shape) for name, each in values.by_name.items()},
        plain_ious(rollout),
        torch.tensor(
            [
                [float(parse_spans(t, query=row.query).parsed) for t in group]
                for row, group in zip(rollout.rows, rollout.texts, strict=True)
            ]
        ),
        torch.tensor(rollout.finished, dtype=torch.float32),
    )


def plain_ious(rollout: Rollout) -> Tensor:
    """IoU of the set of spans said with the true set, for each answer, ``[Q, G]``; 0 for what is no answer."""

    def one(text: str, row: Row) -> float:
        found = parse_spans(text, query=row.query)
        return set_iou([s for s in found.spans if not s.is_reversed], row.spans) if found.parsed else 0.0

    return torch.tensor([[one(t, row) for t in group] for row, group in zip(rollout.rows, rollout.texts, strict=True)])


def columns(rollout: Rollout, number: int = 0) -> dict[str, list[Any]]:
    """What reward functions are given beside the answers: each row's fields, once for each of its answers.

    prompts and completion_ids as in TRL: the texts that were asked, and the tokens of each answer.
    """
    found: dict[str, list[Any]] = {"completion_ids": [ids for t in rollout.example.turns for ids in t.answers]}
    found["prompts"] = [text for text, group in zip(rollout.asked, rollout.texts, strict=True) for _ in group]
    for q, (row, group) in enumerate(zip(rollout.rows, rollout.texts, strict=True)):
        fields = row_columns(row) | {"is_backward": rollout.is_backward, "group": (number << 16) + q}
        fields["backward"] = rollout.backward[q] if rollout.backward else None
        fields["shuffled"] = rollout.shuffled[q] if rollout.shuffled else None
        for name, value in fields.items():
            found.setdefault(name, []).extend([value] * len(group))
    return found


def row_columns(row: Row) -> dict[str, Any]:
    """A row as reward columns: its fields, spans as pairs, and the part of the file that is meant as `window`."""
    found = {field.name: getattr(row, field.name) for field in fields(row)}
    return found | {"spans": [s.to_list() for s in row.spans], "window": row.extent.to_list()}
