"""The first pass over a long video: all of it, coarsely, in windows of a length that the model knows.

A scan takes a quarter of the model's frames a second and the fewest tokens a frame, so that a window may be four times
as long as one that is looked at closely. Of each the model says when it happens, and whether; a text-to-frame head says
which frames fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from timeground.data.rows import Row
from timeground.media.sampling import Sampling
from timeground.methods.base import Look, Method
from timeground.methods.direct import Direct
from timeground.methods.findings import Finding, look_into
from timeground.methods.windows import cover
from timeground.models.sampling import SampleSpec

COARSER = 4
"""How many times fewer frames a second a scan takes, and how many times longer its windows are."""
OVERLAP = 0.1
"""How much of a window of a scan the next one shows again."""


@dataclass(frozen=True)
class Scanned:
    """One window of a scan, of one row and one sample."""

    look: Look
    finding: Finding


def scan_sampling(sampling: Sampling) -> Sampling:
    """Return how a model is shown a video for a scan."""
    return replace(sampling, fps=sampling.fps / COARSER, max_tokens_per_pair=sampling.min_tokens_per_pair)


def scan(method: Method, window_s: float, rows: Sequence[Row], spec: SampleSpec | None) -> list[list[list[Scanned]]]:
    """Return what a scan sees: for each row and sample all windows, in order.

    window_s: how long a part the model is shown when it looks closely.
    """
    sampling = scan_sampling(method.sampling)
    found: list[list[list[Scanned]]] = []
    for window in cover(method.extent, COARSER * window_s, OVERLAP):
        with Direct(method.model, method.video, window, method.prompts, sampling) as direct:
            groups = look_into(direct, rows, spec)
            found.append([[Scanned(one.of(direct.look), one) for one in group] for group in groups])
            method.on_look(direct.look)
    return [
        [list(windows) for windows in zip(*(one[number] for one in found), strict=True)] for number in range(len(rows))
    ]
