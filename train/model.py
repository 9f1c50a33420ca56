"""A model under training whose forward works on packed batches: every answer of a video in one pass.

Shape legend: N answer tokens of a batch, V vocabulary, D hidden size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from timeground.models.loading import Loaded
from timeground.models.local.layer_cache import KeptPrefix
from timeground.models.local.packing import PackedRows, forward_hidden
from timeground.models.local.towers import (
    TowerStates,
    VisionFeatures,
    cut_patches,
    encode_vision,
    merge,
    mergers,
    run_tower,
)

from .arithmetic import multiplies_bfloat16
from .config import ModelSettings
from .data.batches import Batch
from .data.render import Node


def compile_layers(model: Any) -> None:
    """Compile a model's vision blocks and decoder layers, for all shapes at once; validation runs them as they are."""
    dynamo: Any = torch._dynamo.config
    dynamo.recompile_limit = 64  # layers share code, and each counts as a compilation of it
    for layer in (*model.model.visual.blocks, *model.model.language_model.layers):
        layer.compile(dynamic=True)


def shown_in(batch: Batch) -> list[Node]:
    """Return the nodes of a batch that show frames, in the order of its rows."""
    return [node for example in batch.examples for node in example.shown]


class PackedModel(nn.Module):
    """Logits of answer tokens, with as much of the vision part frozen as the recipe says."""

    def __init__(self, loaded: Loaded, settings: ModelSettings, autocast: bool = False) -> None:
        super().__init__()
        self.model: Any = loaded.model
        self.checkpoint, self.family = loaded.checkpoint, loaded.checkpoint.family
        self.frozen, self.autocast = settings.frozen, autocast
        visual = self.model.model.visual
        if self.frozen != "none":
            visual.requires_grad_(False)
        if self.frozen == "tower":
            for merger in mergers(visual):
                merger.requires_grad_(True)

    @property
    def device(self) -> torch.device:
        """Return where the model is."""
        first: Tensor = next(self.model.parameters())
        return first.device

    def amp(self) -> torch.autocast:
        """Return the arithmetic of this run: bfloat16 on float32 weights where that is fast, or plain."""
        enabled = self.autocast and multiplies_bfloat16(self.device.type)
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)

    def answer_logits(self, batch: Batch, features: VisionFeatures | None = None) -> Tensor:
        """Return logits from which each answer token is drawn, ``[N, V]``, float32.

        features: of all the batch's clips, where they are made already.
        """
        with self.amp():
            kept = [e.prefix for e in batch.examples if e.prefix is not None]
            hidden_BSD = self._continued(batch, kept) if kept else self._suffixes(batch, features)
            logits: Tensor = self.model.lm_head(hidden_BSD.flatten(0, 1)[batch.predictors_N.to(self.device)])
        return logits.float()

    def _suffixes(self, batch: Batch, features: VisionFeatures | None) -> Tensor:
        """Return hidden states of the suffixes, ``[B, S, D]``, in one pass over prefixes and suffixes."""
        device = self.device
        rows = PackedRows(
            batch.ids_BL.to(device),
            batch.positions_3BL.to(device),
            batch.visual_BL.to(device),
            features or self._features(shown_in(batch)),
            batch.mask_B1SL.to(device),
            batch.trees,
        )
        return forward_hidden(self.model, rows)[:, -batch.mask_B1SL.shape[2] :]

    def _continued(self, batch: Batch, prefixes: list[KeptPrefix]) -> Tensor:
        """Return the same, row by row, each suffix going on from its kept prefix."""
        length, num_suffix = batch.ids_BL.shape[1], batch.mask_B1SL.shape[2]
        found = []
        for b, (example, prefix) in enumerate(zip(batch.examples, prefixes, strict=True)):
            row, suffix = slice(b, b + 1), slice(length - num_suffix, None)
            seen = [*range(len(example.prompt)), *range(length - num_suffix, length)]
            rows = PackedRows(
                batch.ids_BL[row, suffix].to(self.device),
                batch.positions_3BL[:, row, suffix].to(self.device),
                batch.visual_BL[row, suffix].to(self.device),
                self._features([node for node in example.shown if node is not example.root]),
                batch.mask_B1SL[row, :, :, seen].to(self.device),
                [batch.trees[b]],
            )
            found.append(forward_hidden(self.model, rows, prefix.cache(self.model)))
        return torch.cat(found)

    def _features(self, nodes: list[Node]) -> VisionFeatures | None:
        return self.features(nodes) if nodes else None

    def features(self, nodes: Sequence[Node]) -> VisionFeatures:
        """Return visual tokens of clips: what is frozen runs without gradient, or not at all where it was kept."""
        visual = self.model.model.visual
        if self.frozen == "none":
            return encode_vision(visual, [self.pixels(node) for node in nodes])
        with torch.set_grad_enabled(self.frozen == "tower" and torch.is_grad_enabled()):
            return merge(visual, self._states(nodes))

    def tower_states(self, node: Node) -> TowerStates:
        """Return what the tower makes of one clip, without gradient: to be kept while the tower is frozen."""
        with torch.no_grad(), self.amp():
            return run_tower(self.model.model.visual, [self.pixels(node)])

    def _states(self, nodes: Sequence[Node]) -> TowerStates:
        if all(node.states is None for node in nodes):  # one pass for all
            with torch.no_grad():
                return run_tower(self.model.model.visual, [self.pixels(node) for node in nodes])
        return TowerStates.joined([node.states or self.tower_states(node) for node in nodes])

    def pixels(self, node: Node) -> Any:
        """Return the patches of a clip, as the vision tower takes them."""
        assert node.frames is not None
        dtype = next(self.model.model.visual.parameters()).dtype
        frames = node.frames.to(self.device, non_blocking=True)
        return cut_patches(frames, node.inputs.vision, self.family, self.checkpoint.norm, dtype)
