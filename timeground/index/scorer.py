"""What an index is made of and searched by: features of coarse frames, and how well each fits a query.

Shape legend: Q queries, P pieces (frames, or pairs of them), N vectors of a piece, D values of a vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from timeground.media.clip import Clip
from timeground.media.sampling import FRAMES_PER_PAIR, Sampling

COARSE_FPS = 0.5
"""Frames a second of an index, where nothing else is asked for."""
NO_LIMIT = 10**6
"""Visual tokens of a clip of which every frame is wanted, however long it is."""


class FrameScorer(Protocol):
    """A source of features and relevance. It keeps nothing of a video; what it made can be kept in a file."""

    name: str
    """As users name it, for messages."""
    contents: str
    """The identity of its weights and of all settings that change its features."""
    sampling: Sampling
    """How it wants coarse frames; the size of one does not depend on how many there are."""
    frames_each: int
    """Frames of a piece: 1, or 2 where it looks at pairs."""

    def features(self, clip: Clip) -> Tensor:
        """Return ``[P, N, D]`` of the pieces of a clip, in the type in which they are to be kept."""
        ...

    def relevance(self, queries: Sequence[str], features_PND: Tensor) -> Tensor:
        """Return how well each piece fits each query, ``[Q, P]``, float32; more is better, of any video alike.

        The pieces follow each other in one video.
        """
        ...


def piece_times_s(clip: Clip, frames_each: int) -> Tensor:
    """Return the middle of each piece of a clip in seconds of the file, float64 ``[P]``."""
    if frames_each == FRAMES_PER_PAIR:
        return clip.pair_times_s().mean(dim=1)
    return clip.frame_times_s
