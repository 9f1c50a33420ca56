"""Packs examples into rows for one forward pass, and loads them ahead of the trainer.

Shape legend: B rows, P prefix, S suffix, L = P + S, N answer tokens of all rows.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from timeground.errors import UserError
from timeground.models.local.packing import PADDING, PREFIX, SHARED, Owners, visibility
from timeground.worker import end_with

from .render import Example


@dataclass(frozen=True)
class Batch:
    """A micro-batch: each row a video, all its questions, and all answers to them."""

    ids_BL: Tensor
    positions_3BL: Tensor
    visual_BL: Tensor
    mask_B1SL: Tensor
    predictors_N: Tensor
    """Where in the suffixes, counted over ``B x S``, the token stands that an answer token follows."""
    targets_N: Tensor
    """That answer token."""
    weights_N: Tensor
    """What it counts."""
    answers_N: Tensor
    """The number of its answer in the batch."""
    examples: list[Example]

    @property
    def num_tokens(self) -> int:
        """Tokens in the rows, padding included."""
        return self.ids_BL.numel()

    @property
    def num_answers(self) -> int:
        """Answers in all rows."""
        return sum(len(turn.answers) for example in self.examples for turn in example.turns)


def pack(examples: list[Example], visual_ids: tuple[int, int]) -> Batch:
    """Return right-pad prefixes and suffixes, each to the longest, and write down who sees whom."""
    prefix = max(len(e.prompt) for e in examples)
    suffix = max(_suffix_length(e) for e in examples)
    shape = (len(examples), prefix + suffix)
    ids, positions = np.zeros(shape, np.int64), np.zeros((3, *shape), np.int64)
    mask = np.zeros((len(examples), 1, suffix, prefix + suffix), bool)
    tokens = _Tokens([], [], [], [])
    for b, example in enumerate(examples):
        length = len(example.prompt)
        ids[b, :length], positions[:, b, :length] = example.prompt.ids_L, example.prompt.positions_3L
        owners = Owners.of(PREFIX, SHARED, length) + Owners.of(PADDING, SHARED, prefix - length)
        owners += _lay_suffix(example, ids[b, prefix:], positions[:, b, prefix:], b * suffix, tokens)
        owners += Owners.of(PADDING, SHARED, prefix + suffix - len(owners))
        mask[b, 0] = visibility(owners, suffix)
    visual = np.isin(ids, visual_ids)
    return Batch(
        torch.from_numpy(ids),
        torch.from_numpy(positions),
        torch.from_numpy(visual),
        torch.from_numpy(mask),
        torch.tensor(tokens.predictors),
        torch.tensor(tokens.targets),
        torch.tensor(tokens.weights, dtype=torch.float32),
        torch.tensor(tokens.answers),
        examples,
    )


@dataclass
class _Tokens:
    """The flat columns of a batch, as they grow."""

    predictors: list[int]
    targets: list[int]
    weights: list[float]
    answers: list[int]


def _suffix_length(example: Example) -> int:
    return sum(len(t.question) + sum(len(a) for a in t.answers) for t in example.turns)


def _lay_suffix(example: Example, ids_S: np.ndarray, positions_3S: np.ndarray, first: int, tokens: _Tokens) -> Owners:
    """Write one row's questions and answers; `first` is where its suffix begins in ``B x S``."""
    owners, at = Owners.of(0, SHARED, 0), 0
    for number, turn in enumerate(example.turns):
        question = turn.question
        asked = slice(at, at + len(question))
        ids_S[asked], positions_3S[:, asked] = question.ids_L, question.positions_3L
        owners += Owners.of(number, SHARED, len(question))
        last = at = asked.stop
        for a, answer in enumerate(turn.answers):
            end = at + len(answer)
            ids_S[at:end] = answer
            positions_3S[:, at:end] = question.next_position + np.arange(len(answer))
            owners += Owners.of(number, a, len(answer))
            name = tokens.answers[-1] + 1 if tokens.answers else 0
            tokens.predictors += [first + last - 1, *range(first + at, first + end - 1)]
            tokens.targets += answer
            tokens.weights += [turn.weights[a] if turn.weights else 1.0] * len(answer)
            tokens.answers += [name] * len(answer)
            at = end
    return owners


Item = TypeVar("Item")


@dataclass(frozen=True)
class _Mistake:
    """A UserError on its way out of a worker, where PyTorch would wrap it into a traceback."""

    line: str


class _ByNumber(torch.utils.data.Dataset[Any]):
    """Things by number: what a worker makes in one go."""

    def __init__(self, make: Callable[[int], Any]) -> None:
        self.make = make

    def __getitem__(self, number: int) -> Any:
        try:
            return self.make(number)
        except UserError as error:
            return _Mistake(str(error))


def made_ahead(make: Callable[[int], Item], numbers: range, num_workers: int, at_once: int = 1) -> Iterator[Item]:
    """Yield what `make` gives for each number, in order, made ahead in worker processes; UserError as `make` raises it.

    at_once: how many are taken together, so that as many are made while those before them are used.
    """
    options: dict[str, Any] = {}
    if num_workers:
        options = {
            "multiprocessing_context": "fork",
            "prefetch_factor": max(2, math.ceil(at_once / num_workers)),
            "worker_init_fn": partial(_set_up_worker, os.getpid()),
        }
    loader = torch.utils.data.DataLoader(
        _ByNumber(make),
        sampler=numbers,
        batch_size=None,
        collate_fn=_unchanged,
        num_workers=num_workers,
        **options,
    )
    for item in loader:
        if isinstance(item, _Mistake):
            raise UserError(item.line)
        yield item


def _unchanged(item: Item) -> Item:
    return item


def _set_up_worker(parent: int, _: int) -> None:
    """Keep a worker to one thread, since workers share the cores, and end it with its parent, even amid a video."""
    end_with(parent)
    torch.set_num_threads(1)
