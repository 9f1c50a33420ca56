"""Packs examples into rows for one forward pass, and loads them ahead of the trainer.

Shape legend: B rows, P prefix, S suffix, L = P + S.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from timeground.models.sharing import PADDING, PREFIX, SHARED, Owners, visibility
from timeground.timecode import VisionSegment

from .examples import Example, Source


@dataclass(frozen=True)
class Batch:
    """A micro-batch.

    targets_BS: the token that each suffix position should be followed by, -100 where it does not count.
    weights_BS: what each counts. frames, vision: one entry a row.
    """

    ids_BL: Tensor
    positions_3BL: Tensor
    visual_BL: Tensor
    mask_B1SL: Tensor
    targets_BS: Tensor
    weights_BS: Tensor
    frames: list[Tensor]
    vision: list[tuple[VisionSegment, ...]]

    @property
    def num_tokens(self) -> int:
        """Tokens in the rows, padding included."""
        return self.ids_BL.numel()


def pack(examples: list[Example], visual_ids: tuple[int, int]) -> Batch:
    """Right-pad prefixes and suffixes, each to the longest, and write down who sees whom."""
    prefix = max(len(e.prompt) for e in examples)
    suffix = max(sum(len(t.question) + len(t.answer_ids) for t in e.turns) for e in examples)
    shape = (len(examples), prefix + suffix)
    ids, positions = np.zeros(shape, np.int64), np.zeros((3, *shape), np.int64)
    mask = np.zeros((len(examples), 1, suffix, prefix + suffix), bool)
    targets, weights = np.full((shape[0], suffix), -100), np.zeros((shape[0], suffix), np.float32)
    for b, example in enumerate(examples):
        length = len(example.prompt)
        ids[b, :length], positions[:, b, :length] = example.prompt.ids_L, example.prompt.positions_3L
        owners = Owners.of(PREFIX, SHARED, length) + Owners.of(PADDING, SHARED, prefix - length)
        at = 0
        for number, turn in enumerate(example.turns):
            question, answer = turn.question, turn.answer_ids
            end = at + len(question) + len(answer)
            here = slice(prefix + at, prefix + end)
            ids[b, here] = [*question.ids_L, *answer]
            follow = np.tile(question.next_position + np.arange(len(answer)), (3, 1))
            positions[:, b, here] = np.concatenate([question.positions_3L, follow], axis=1)
            targets[b, at + len(question) - 1 : end - 1] = answer
            weights[b, at + len(question) - 1 : end - 1] = turn.weight
            owners += Owners.of(number, SHARED, end - at)
            at = end
        owners += Owners.of(PADDING, SHARED, suffix - at)
        mask[b, 0] = visibility(owners, suffix)
    return Batch(
        *(torch.from_numpy(a) for a in (ids, positions, np.isin(ids, visual_ids), mask, targets, weights)),
        frames=[e.frames for e in examples],
        vision=[e.vision for e in examples],
    )


class _MicroBatches(torch.utils.data.Dataset[Batch]):
    """Micro-batches by number: what a worker makes in one go."""

    def __init__(self, source: Source, size: int, visual_ids: tuple[int, int]) -> None:
        self.source, self.size, self.visual_ids = source, size, visual_ids

    def __getitem__(self, number: int) -> Batch:
        return pack([self.source.example(number, i) for i in range(self.size)], self.visual_ids)


def micro_batches(
    source: Source, numbers: range, size: int, visual_ids: tuple[int, int], num_workers: int
) -> Iterator[Batch]:
    """Micro-batches of the given numbers, in order, made ahead in worker processes."""
    options: dict[str, Any] = {}
    if num_workers:
        options = {"multiprocessing_context": "fork", "prefetch_factor": 2, "worker_init_fn": _one_thread}
    loader = torch.utils.data.DataLoader(
        _MicroBatches(source, size, visual_ids),
        sampler=numbers,
        batch_size=None,
        num_workers=num_workers,
        **options,
    )
    yield from loader


def _one_thread(_: int) -> None:
    """Workers share the cores: each keeps to one thread."""
    torch.set_num_threads(1)
