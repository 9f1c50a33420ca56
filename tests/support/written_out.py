"""Rows written out: what a node of an example sees as one plain row, through transformers' own forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import torch
from timeground.train.data.render import Example, Node

from timeground.models.families import Family
from timeground.models.inputs import PromptInputs
from timeground.models.loading import Loaded
from timeground.models.local.towers import Pixels, cut_patches


def path(example: Example, place: int) -> list[Node]:
    """The nodes from the root down to one."""
    node = example.nodes[place]
    return [node] if node.parent is None else [*path(example, node.parent), node]


def row_logits(reference: Any, row: PromptInputs, pixels: Sequence[Pixels], family: Family) -> torch.Tensor:
    """What transformers' own forward makes of a row, ``[L, V]``."""
    ids = torch.from_numpy(row.ids_L)[None]
    out = reference(
        input_ids=ids,
        position_ids=torch.from_numpy(row.positions_3L)[:, None],
        pixel_values_videos=torch.cat([p.values_NP for p in pixels]),
        video_grid_thw=torch.tensor([grid for p in pixels for grid in p.grids]),
        mm_token_type_ids=(ids == family.video_token_id).int() * 2,
        use_cache=False,
    )
    return out.logits[0]


def node_logprobs(reference: Any, loaded: Loaded, example: Example, place: int) -> torch.Tensor:
    """Log-probabilities of a node's tokens, with all that stands above it as one row."""
    above = path(example, place)
    row = reduce(PromptInputs.joined, (node.inputs for node in above))
    ids, count = torch.from_numpy(row.ids_L)[None], len(above[-1].inputs)
    checkpoint = loaded.checkpoint
    pixels = [
        cut_patches(node.frames, node.inputs.vision, checkpoint.family, checkpoint.norm, torch.float32)
        for node in above
        if node.frames is not None
    ]
    logits = row_logits(reference, row, pixels, checkpoint.family)[-count - 1 : -1]
    logits = logits.index_fill(1, torch.tensor(loaded.checkpoint.family.forbidden_ids), -1e9)
    return logits.log_softmax(-1).gather(1, ids[0, -count:, None])[:, 0]


def answer_logprobs(reference: Any, loaded: Loaded, example: Example) -> list[tuple[int, torch.Tensor]]:
    """Those of all sampled nodes in order, each with the number of its answer."""
    return [
        (node.answer, node_logprobs(reference, loaded, example, place))
        for place, node in enumerate(example.nodes)
        if node.answer is not None
    ]


def close(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    """Log-probabilities to 1e-6, relative where they are below -1: float32 has no finer steps at -10."""
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)


def equal_gradients(ours: torch.nn.Module, reference: torch.nn.Module, rtol: float = 1e-5, atol: float = 0.0) -> None:
    """The gradients of all that is trained, to `rtol` of their norm and `atol`."""
    expected = dict(reference.named_parameters())
    for name, parameter in ours.named_parameters():
        if not parameter.requires_grad:
            continue
        gradient = expected[name].grad
        if gradient is None or not gradient.any():
            assert parameter.grad is None or not parameter.grad.any(), name
            continue
        assert (parameter.grad - gradient).norm() <= rtol * gradient.norm() + atol, name
