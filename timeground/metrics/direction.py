"""Does a model see the arrow of time? ArrowGEV's directional discrimination (arXiv 2601.06559).

The video is played backwards and the true span is mirrored, ``[D - end, D - start]``. A model that only recognises
what is in the frames finds the mirrored span just as well; one that sees direction does not, where the query tells
direction. The measure should come near 1 on such queries and near 0 on those that hold both ways.
"""

from __future__ import annotations

import numpy.typing as npt

from timeground.metrics.grounding import recall_at


def discrimination(forward_recall: float, backward_recall: float) -> float | None:
    """Return ``(forward - backward) / forward``; None where nothing is found forward: nothing can be told then."""
    return (forward_recall - backward_recall) / forward_recall if forward_recall > 0 else None


def directional_discrimination(
    forward_ious: npt.ArrayLike, backward_ious: npt.ArrayLike, threshold: float = 0.5, *, inclusive: bool = True
) -> float | None:
    """Return directional discrimination at an IoU threshold, 1 at best; below 0 if the reversed video is found better.

    forward_ious: IoU of each row with its true span. backward_ious: IoU of the answer on the reversed video with the
    *mirrored* true span. None where no forward answer reaches the threshold. Raise ValueError without rows.
    """
    forward = recall_at(forward_ious, threshold, inclusive=inclusive)
    return discrimination(forward, recall_at(backward_ious, threshold, inclusive=inclusive))
