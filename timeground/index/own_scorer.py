"""The grounding model's own eyes: what its vision tower makes of frame pairs, compared with words by its head."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from timeground.files.content_keys import file_contents
from timeground.index.scorer import NO_LIMIT
from timeground.media.clip import Clip
from timeground.media.sampling import FRAMES_PER_PAIR, Sampling
from timeground.models.base import Model
from timeground.models.frame_head import FILE_NAME
from timeground.models.local.model import LocalModel

OWN_FPS = 1.0
"""Frames a second of a head: no worse than twice as many, and better than half of it (docs/find.md)."""


class OwnScorer:
    """A model of ours with a text-to-frame head; its language model never runs."""

    frames_each = FRAMES_PER_PAIR

    def __init__(self, model: LocalModel, fps: float = OWN_FPS, tokens_per_pair: int | None = None) -> None:
        """Take a model. tokens_per_pair: the size of frames; the largest that its profile names by default.

        Raise UserError where the model has no head.
        """
        self.model, self.name = model, model.name
        self.sampling = coarse(model.sampling(), fps, tokens_per_pair or model.profile.max_tokens_per_pair)
        _ = model.frame_head
        head = file_contents(Path(model.checkpoint.path) / FILE_NAME)
        self.contents = hashlib.sha256(f"{model.contents} {head} {self.sampling}".encode()).hexdigest()

    def features(self, clip: Clip) -> Tensor:
        """Return what the head keeps of each frame pair, float16 ``[P, N, D]``; D is the head's own, a few numbers."""
        return self.model.frame_features(clip).to("cpu", torch.float16)

    def relevance(self, queries: Sequence[str], features_PND: Tensor) -> Tensor:
        """Return the log-odds that each query's event is in each pair, ``[Q, P]``."""
        return self.model.frame_relevance(queries, features_PND).cpu()


def has_head(model: Model) -> bool:
    """Return whether a model can be an `OwnScorer`."""
    return isinstance(model, LocalModel) and model.has_frame_head


def coarse(sampling: Sampling, fps: float, tokens_per_pair: int | None = None) -> Sampling:
    """Return a model's sampling with few and small frames, every one of them read."""
    tokens = tokens_per_pair or sampling.min_tokens_per_pair
    sizes = {"min_tokens_per_pair": tokens, "max_tokens_per_pair": tokens}
    return replace(sampling, fps=fps, total_tokens=NO_LIMIT, max_frames=None, **sizes)
