"""The loss of a text-to-frame head that is trained beside a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from timeground.models.frame_head import FrameHead, load_frame_head, mean_embeddings
from timeground.models.loading import Loaded
from timeground.models.local.towers import VisionFeatures

from .data.batches import Batch
from .model import PackedModel, shown_in


def head_of(loaded: Loaded) -> FrameHead:
    """Return a model's text-to-frame head, or a new one."""
    checkpoint, hidden_size = loaded.checkpoint, loaded.model.config.get_text_config().hidden_size
    if checkpoint.profile.frame_head:
        return load_frame_head(Path(checkpoint.path), hidden_size).train()
    return FrameHead(hidden_size)


def frame_loss(head: FrameHead, model: PackedModel, batch: Batch, features: VisionFeatures) -> torch.Tensor:
    """Return the mean over clips of the cross-entropy of finding what is sought in each of their frame pairs."""
    shown = shown_in(batch)
    sizes = [int(np.isin(node.inputs.ids_L, model.family.visual_ids).sum()) for node in shown]
    tokens_of = {id(node): made.main_VD for node, made in zip(shown, features.split(sizes), strict=True)}
    losses = []
    for example in batch.examples:
        if example.sought:
            tokens_VD = tokens_of[id(example.root)]
            inside_QP = torch.stack([one.inside_P for one in example.sought]).to(tokens_VD.device)
            tokens_PND = tokens_VD.view(inside_QP.shape[1], -1, tokens_VD.shape[1])
            queries_QD = mean_embeddings(model.model, [one.ids for one in example.sought])
            losses.append(F.binary_cross_entropy_with_logits(head(queries_QD, tokens_PND), inside_QP))
    if not losses:  # every process has a gradient for every parameter
        return 0.0 * torch.stack([parameter.sum() for parameter in head.parameters()]).sum()
    return torch.stack(losses).mean()
