"""Relevance by asking a model whether it happens: for models without a head, of whatever family and wherever they run.

There is nothing to compare with before the question is known, so its features are the coarse frames themselves, small
and as they were decoded: a later query is asked about them, and the video is not read again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict

import torch
from torch import Tensor

from timeground.chat.confidence import log_odds
from timeground.data.rows import Row
from timeground.index.own_scorer import coarse
from timeground.index.scorer import COARSE_FPS
from timeground.media.clip import Clip
from timeground.media.sampling import FRAMES_PER_PAIR, Sampling
from timeground.media.video import Video
from timeground.methods.direct import Direct
from timeground.methods.reflection import YES_NO, happens_row, p_yes
from timeground.models.base import Model

WINDOW_S = 30.0
"""How long a stretch is that one question is about; half of it is in the next one too."""
CHANNELS = 3


class YesNoScorer:
    """A model that is asked "does it happen?" about stretch after stretch: slow, and as good as the model."""

    frames_each = FRAMES_PER_PAIR

    def __init__(
        self, model: Model, fps: float = COARSE_FPS, window_s: float = WINDOW_S, sampling: Sampling | None = None
    ) -> None:
        """Take a model. window_s: of a stretch. sampling: of the frames kept; few and small ones by default."""
        self.model, self.name = model, f"{model.name} (yes or no)"
        self.sampling = sampling or coarse(model.sampling(), fps)
        self.pairs_each = max(1, round(window_s * self.sampling.fps / FRAMES_PER_PAIR))
        written = f"frames {asdict(self.sampling)}"  # the frames do not depend on the model that is asked about them
        self.contents = hashlib.sha256(written.encode()).hexdigest()

    def features(self, clip: Clip) -> Tensor:
        """Return the pixels of each pair, uint8 ``[P, H, 2 * 3 * W]``."""
        frames = clip.paired().frames
        _, channels, height, width = frames.shape
        pairs = frames.view(-1, FRAMES_PER_PAIR, channels, height, width)
        return pairs.permute(0, 3, 1, 2, 4).reshape(len(pairs), height, FRAMES_PER_PAIR * channels * width)

    def relevance(self, queries: Sequence[str], features_PND: Tensor) -> Tensor:
        """Return the log-odds of yes in the stretches that a pair is in, ``[Q, P]``, the highest of them."""
        found_QP = torch.full((len(queries), len(features_PND)), float("-inf"))
        for first, end in stretches(len(features_PND), self.pairs_each):
            odds_Q = self._odds(queries, features_PND[first:end])
            found_QP[:, first:end] = torch.maximum(found_QP[:, first:end], odds_Q[:, None])
        return found_QP

    def _odds(self, queries: Sequence[str], features_PND: Tensor) -> Tensor:
        clip = self._clip(features_PND)
        rows = [Row(str(number), "", clip.duration_s, query) for number, query in enumerate(queries)]
        with Direct(self.model, Video.of(clip)) as look:
            asked = [happens_row(row, look.prompts) for row in rows]
            scores = look.scores(asked, [YES_NO] * len(asked))
        return torch.tensor([log_odds(p_yes(one)) for one in scores])

    def _clip(self, features_PND: Tensor) -> Clip:
        """Return pairs as a clip that begins at 0: when it happens is not asked."""
        pairs, height, _ = features_PND.shape
        parts = features_PND.reshape(pairs, height, FRAMES_PER_PAIR, CHANNELS, -1)
        frames = parts.permute(0, 2, 3, 1, 4).reshape(pairs * FRAMES_PER_PAIR, CHANNELS, height, -1).contiguous()
        step_s = 1 / self.sampling.fps
        times_s = torch.arange(len(frames), dtype=torch.float64) * step_s
        return Clip(frames, times_s, 0.0, len(frames) * step_s, len(frames) * step_s)


def stretches(num_pairs: int, length: int) -> list[tuple[int, int]]:
    """Return where stretches of pairs begin and end: all of one length if there are as many, each half in the next."""
    if num_pairs <= length:
        return [(0, num_pairs)] if num_pairs else []
    starts = [*range(0, num_pairs - length, max(1, length // 2)), num_pairs - length]
    return [(start, start + length) for start in starts]
