"""Packs examples into rows for one forward pass, and loads them ahead of the trainer.

Shape legend: B rows, P prefix, S suffix, L = P + S, N answer tokens of all rows.
"""

from __future__ import annotations

import math
import multiprocessing
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from timeground.errors import UserError
from timeground.models.local.tree import ROOT, Tree, visibility
from timeground.worker import end_with

from .render import Example


@dataclass(frozen=True)
class Batch:
    """A micro-batch: each row a video, all its questions, and all answers to them with what follows."""

    ids_BL: Tensor
    positions_3BL: Tensor
    visual_BL: Tensor
    mask_B1SL: Tensor
    predictors_N: Tensor
    """Where in the suffixes, counted over ``B x S``, the token stands that an answer token follows."""
    targets_N: Tensor
    """That answer token; only what was sampled is a target."""
    weights_N: Tensor
    """What it counts."""
    answers_N: Tensor
    """The number of its answer in the batch; all that was sampled in one trajectory is one answer."""
    trees: list[Tree]
    """Of each row."""
    examples: list[Example]

    @property
    def num_tokens(self) -> int:
        """Return the number of tokens in the rows, padding included."""
        return self.ids_BL.numel()

    @property
    def num_answers(self) -> int:
        """Return the number of answers in all rows."""
        return sum(example.num_answers for example in self.examples)


def pack(examples: list[Example], visual_ids: tuple[int, int]) -> Batch:
    """Return examples as rows, prefixes and suffixes right-padded each to the longest, with who sees whom."""
    prefix = max(len(e.prompt) for e in examples)
    suffix = max(e.num_tokens - len(e.prompt) for e in examples)
    shape = (len(examples), prefix + suffix)
    ids, positions = np.zeros(shape, np.int64), np.zeros((3, *shape), np.int64)
    mask = np.zeros((len(examples), 1, suffix, prefix + suffix), bool)
    targets, num_answers, trees = _Targets([], [], [], []), 0, []
    for b, example in enumerate(examples):
        tree = Tree(len(example.prompt))
        tree.pad(prefix - len(example.prompt))
        places = _lay_nodes(example, tree)
        for node, place in zip(example.nodes, places, strict=True):
            ids[b, place], positions[:, b, place] = node.inputs.ids_L, node.inputs.positions_3L
        targets.add(example, places, b * suffix - prefix, num_answers)
        num_answers += example.num_answers
        tree.pad(prefix + suffix - len(tree))
        mask[b, 0] = visibility(tree, suffix)
        trees.append(tree)
    visual = np.isin(ids, visual_ids)
    return Batch(
        torch.from_numpy(ids),
        torch.from_numpy(positions),
        torch.from_numpy(visual),
        torch.from_numpy(mask),
        torch.tensor(targets.predictors),
        torch.tensor(targets.ids),
        torch.tensor(targets.weights, dtype=torch.float32),
        torch.tensor(targets.answers),
        trees,
        examples,
    )


def _lay_nodes(example: Example, tree: Tree) -> list[slice]:
    """Add an example's nodes to a tree that has its prompt; return where in the row the tokens of each stand."""
    numbers, places = [ROOT], [slice(0, len(example.prompt))]
    for node in example.nodes[1:]:
        at = len(tree)
        numbers.append(tree.add(numbers[node.parent or 0], len(node.inputs)))
        places.append(slice(at, len(tree)))
    return places


@dataclass
class _Targets:
    """The flat columns of a batch, as they grow."""

    predictors: list[int]
    ids: list[int]
    weights: list[float]
    answers: list[int]

    def add(self, example: Example, places: list[slice], first: int, num_answers: int) -> None:
        """Add an example's sampled tokens.

        first: where its row begins, counted over ``B x S``. num_answers: of the examples before it.
        """
        for node, place in zip(example.nodes, places, strict=True):
            if node.answer is None or node.parent is None:
                continue
            before = (places[node.parent].stop - 1, *range(place.start, place.stop - 1))
            self.predictors += [first + p for p in before]
            self.ids += node.inputs.ids_L.tolist()
            self.weights += [node.weight] * len(node.inputs)
            self.answers += [num_answers + node.answer] * len(node.inputs)


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
    """Yield what `make` gives for each number, in order, from worker processes ahead. Raise UserError as `make` does.

    at_once: how many are taken together, so that as many are made while those before them are used.
    """
    options: dict[str, Any] = {}
    if num_workers:
        options = {
            "multiprocessing_context": "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn",
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
