"""From frames to visual features: patches as transformers' processors cut them, one pass for many clips.

Shape legend: T frames, C channels, H and W pixels, N patches, P values of a patch, V visual tokens, D features.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from timeground.chat.layout import VisionSegment
from timeground.models.families import Family
from timeground.models.local.attention import attend
from timeground.models.local.linear import linear

CHUNKED_ATTENTION = "timeground_chunked_flash"
"""Name under which the vision attention is registered. It has "flash" in it because transformers hands the
chunk borders only to attention functions with such names; to others it calls once a frame in every layer."""


def chunked_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    cu_seq_lens_q: Tensor | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Return the attention inside each chunk of a row of patches, all chunks of one length in one call.

    query, key, value: ``[1, heads, N, head_dim]``; cu_seq_lens_q: chunk borders ``[chunks + 1]``.
    The result is ``[1, N, heads, head_dim]``.
    """
    assert cu_seq_lens_q is not None
    lengths = cu_seq_lens_q.diff()
    out = None
    for length in sorted(set(lengths.tolist())):
        if not length:
            continue
        starts = cu_seq_lens_q[:-1][lengths == length]
        index = (starts[:, None] + torch.arange(length, device=starts.device)).flatten()
        whole = len(index) == query.shape[2]
        parts = [t[0] if whole else t[0, :, index] for t in (query, key, value)]
        parts = [t.reshape(len(t), -1, length, t.shape[-1]).transpose(0, 1) for t in parts]
        done = attend(*parts, scale=scaling).transpose(0, 1).flatten(1, 2)
        if whole:
            return done.transpose(0, 1)[None], None
        out = query.new_empty(query.shape, dtype=done.dtype) if out is None else out
        out = out.index_copy(2, index, done[None])
    assert out is not None
    return out.transpose(1, 2), None


def register_attention() -> None:
    """Make the vision attention known to transformers."""
    from transformers import AttentionInterface

    plain: Any = torch.compiler.disable(chunked_attention)  # type: ignore[no-untyped-call]  # lengths are counted in it
    AttentionInterface.register(CHUNKED_ATTENTION, plain)


def use_linear_patches(visual: Any) -> None:
    """Compute the tower's patch embedding as the matrix product that it is.

    It is written as a 3-D convolution whose kernel covers a whole patch; cuDNN is many times slower at that.
    """
    projection = visual.patch_embed.proj
    projection.forward = partial(_project_patches, projection)


def _project_patches(projection: nn.Conv3d, patches: Tensor) -> Tensor:
    return linear(patches.flatten(1), projection.weight.flatten(1), projection.bias)


@dataclass(frozen=True)
class Pixels:
    """Patches of one or more vision blocks."""

    values_NP: Tensor
    grids: list[tuple[int, int, int]]
    """Rows (t, h, w) of each block, in patches."""


@dataclass(frozen=True)
class Normalisation:
    """What a processor does to pixel values: ``(x / 255 - mean) / std`` for each channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


def cut_patches(
    frames_TCHW: Tensor,
    segments: Sequence[VisionSegment],
    family: Family,
    norm: Normalisation,
    dtype: torch.dtype,
) -> Pixels:
    """Return the patches of a clip's vision blocks. An image block is one frame twice (temporal patch 2)."""
    patch, merge = family.patch_size, family.merge_size
    index = [
        frame
        for s in segments
        for frame in ([s.first_frame] * 2 if s.is_image else range(s.first_frame, s.first_frame + s.num_frames))
    ]
    if index != list(range(len(frames_TCHW))):
        frames_TCHW = frames_TCHW[torch.tensor(index, device=frames_TCHW.device)]
    mean, std = (frames_TCHW.new_tensor(v, dtype=torch.float32).view(-1, 1, 1) for v in (norm.mean, norm.std))
    x = (frames_TCHW.contiguous().float() - mean * 255) / (std * 255)
    t, c, h, w = x.shape
    rows, columns = h // patch, w // patch
    x = x.view(t // 2, 2, c, rows // merge, merge, patch, columns // merge, merge, patch)
    values = x.permute(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(t // 2 * rows * columns, c * 2 * patch * patch)
    return Pixels(values.to(dtype), [(s.grid_t, rows, columns) for s in segments])


@dataclass(frozen=True)
class VisionFeatures:
    """Features of visual tokens."""

    main_VD: Tensor
    deep: tuple[Tensor, ...] = ()
    """Those for the first decoder layers (Qwen3-VL's deep stack)."""

    def split(self, sizes: Sequence[int]) -> list[VisionFeatures]:
        """Return one piece a clip."""
        mains = torch.split(self.main_VD, list(sizes))
        deeps = [torch.split(d, list(sizes)) for d in self.deep]
        return [VisionFeatures(m, tuple(d[i] for d in deeps)) for i, m in enumerate(mains)]


@dataclass(frozen=True)
class TowerStates:
    """What a vision tower computes before its mergers, so that mergers can be trained while the tower is frozen."""

    last_NC: Tensor
    """States of the last layer."""
    deep: tuple[Tensor, ...]
    """Those of the deep-stack layers."""
    order_V: Tensor
    """Which merged row belongs to each visual token (Qwen2.5-VL's tower works in window order)."""

    def to(self, device: torch.device) -> TowerStates:
        """Return the same on another device."""
        return TowerStates(self.last_NC.to(device), tuple(d.to(device) for d in self.deep), self.order_V.to(device))

    @classmethod
    def joined(cls, states: Sequence[TowerStates]) -> TowerStates:
        """Return the states of several clips, one after the other."""
        if len(states) == 1:
            return states[0]
        sizes = [len(s.order_V) for s in states]
        orders = [s.order_V + sum(sizes[:i]) for i, s in enumerate(states)]
        deep = tuple(torch.cat(layer) for layer in zip(*(s.deep for s in states), strict=True))
        return cls(torch.cat([s.last_NC for s in states]), deep, torch.cat(orders))


def run_tower(visual: nn.Module, pixels: Sequence[Pixels]) -> TowerStates:
    """Run the vision tower once over the blocks of several clips, up to its mergers.

    Blocks of one size that follow each other are given as one grid: attention stays inside each frame pair
    and positions repeat for each, so the result is the same and the tower's own loops over grids are short.
    """
    grids: list[list[int]] = []
    for t, h, w in (g for p in pixels for g in p.grids):
        if grids and grids[-1][1:] == [h, w]:
            grids[-1][0] += t
        else:
            grids.append([t, h, w])
    values = pixels[0].values_NP if len(pixels) == 1 else torch.cat([p.values_NP for p in pixels])
    last: list[Tensor] = []
    with _without_mergers(visual, last):
        out = visual(values, grid_thw=torch.tensor(grids, device=values.device), return_dict=True)
    return TowerStates(last[0], tuple(getattr(out, "deepstack_features", None) or ()), out.pooler_output[:, 0])


@contextmanager
def _without_mergers(visual: Any, last: list[Tensor]) -> Iterator[None]:
    """Let the tower's mergers pass on what they are given.

    The last one sends row numbers instead, which come out in the order in which the tower puts visual tokens.
    """

    def number(states_NC: Tensor) -> Tensor:
        last.append(states_NC)
        return torch.arange(len(states_NC) // visual.spatial_merge_size**2, device=states_NC.device)[:, None]

    kept = [(merger, merger.__dict__.get("forward")) for merger in mergers(visual)]
    for merger, _ in kept:
        merger.forward = number if merger is visual.merger else lambda states_NC: states_NC
    try:
        yield
    finally:
        for merger, forward in kept:
            if forward is None:
                del merger.forward
            else:
                merger.forward = forward


def merge(visual: nn.Module, states: TowerStates) -> VisionFeatures:
    """Return the features of visual tokens from what the tower computed: the mergers' part of its work."""
    last, *deep = mergers(visual)
    features = tuple(m(d) for m, d in zip(deep, states.deep, strict=True))
    return VisionFeatures(last(states.last_NC)[states.order_V], features)


def mergers(visual: Any) -> list[Any]:
    """Return the modules that turn tower states into visual tokens: the last layer's, then those of the deep stack."""
    return [visual.merger, *getattr(visual, "deepstack_merger_list", [])]


def encode_vision(visual: nn.Module, pixels: Sequence[Pixels]) -> VisionFeatures:
    """Return the features of the blocks of several clips: tower and mergers."""
    return merge(visual, run_tower(visual, pixels))
