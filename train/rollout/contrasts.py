"""Contrasts: clips changed so that rewards see what answers owe to time and order. Each is one entry of this file.

Rollouts carry the answers to changed clips by the contrast's name, and rewards look them up by it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.media.clip import Clip
from timeground.media.views import shuffled
from timeground.named import imported

from ..data.render import ClipRows


@dataclass(frozen=True)
class Contrast:
    """A change of a clip, and what is asked about the changed clip."""

    name: str
    change_clip: Callable[[Clip, np.random.Generator], Clip]
    """What is done to the clip."""
    change_row: Callable[[Row], Row] = lambda row: row
    """What is done to each row, so that it is asked and scored as it is true of the changed clip."""
    num_answers: int = 1
    """Answers to each question, unless a recipe says otherwise; a group of them where they are trained on."""
    is_greedy: bool = False
    """Whether the likeliest answer is taken, of which there is one; else answers are sampled as those that learn."""
    is_trained: bool = False
    """Whether the changed clip is a prompt of its own, whose group of answers is trained on too."""
    keeps_truth: Callable[[Row], bool] = lambda row: True
    """Whether a row's spans and answer are true of the changed clip; elsewhere nothing is paid for being right."""
    stream: int = 0
    """Which random numbers its answers are drawn by: another for each sampled contrast, never 0, the clip's own."""

    def applied(self, item: ClipRows, seed: Sequence[int]) -> ClipRows:
        """Return a clip with its rows, changed; the same seed gives the same change."""
        clip = self.change_clip(item.clip, np.random.default_rng([int(s) for s in seed]))
        return replace(item, clip=clip, rows=[self.change_row(row) for row in item.rows])


def is_insensitive(row: Row) -> bool:
    """Return whether what a row asks for happens in the reversed clip too: it does not tell time's direction."""
    return row.direction == "insensitive"


REVERSED = Contrast(
    "reversed",
    change_clip=lambda clip, _: clip.reversed(),
    change_row=Row.mirrored,
    is_greedy=True,
    keeps_truth=is_insensitive,
)
"""ArrowGEV (arXiv 2601.06559): one greedy answer on the clip played backwards, for a whole group to differ from."""

REVERSED_GROUPS = replace(REVERSED, name="reversed_groups", is_greedy=False, is_trained=True, stream=1)
"""The same clip as a prompt of its own, trained on too: its answers are compared with the mirrored truth."""

SHUFFLED = Contrast("shuffled", change_clip=shuffled, num_answers=4, stream=2)
"""T-GRPO (Video-R1, arXiv 2503.21776): answers on the clip with its frames in another order under the same times."""

CONTRASTS = {contrast.name: contrast for contrast in (REVERSED, REVERSED_GROUPS, SHUFFLED)}


def load_contrast(name: str) -> Contrast:
    """Return the contrast of a name, or of an import path ``package.module:NAME``. Raise UserError if there is none."""
    if name in CONTRASTS:
        return CONTRASTS[name]
    found = imported(name, "contrast", CONTRASTS)
    if not isinstance(found, Contrast):
        raise UserError(f"contrast {name}: that is no Contrast; make one with timeground.train.rollout.contrasts")
    return found
