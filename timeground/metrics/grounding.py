"""Recall and mean IoU of grounding answers.

Benchmarks disagree on the comparison: TimeLens, lmms-eval and QVHighlights count ``IoU >= t``, Time-R1 and 2D-TAN
count ``IoU > t``. Every function here takes ``inclusive`` and says which it means by default.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from timeground.spans import Span, iou

THRESHOLDS = (0.3, 0.5, 0.7)
"""What most papers report."""


def best_iou(pred: Span | None, truth: Sequence[Span]) -> float:
    """IoU of one span with the true span that it fits best; no span against no true span is 1, one alone is 0."""
    if pred is None:
        return 0.0 if truth else 1.0
    return max((iou(pred, span) for span in truth), default=0.0)


def hits(ious: npt.ArrayLike, threshold: float, *, inclusive: bool = True) -> npt.NDArray[np.bool_]:
    """Which IoUs reach a threshold: ``>=`` if inclusive, else ``>``. ValueError for NaN, which would reach none."""
    values = np.asarray(ious, dtype=np.float64)
    if np.isnan(values).any():
        raise ValueError("an IoU is NaN; decide what a degenerate span is worth before counting")
    return values >= threshold if inclusive else values > threshold


def recall_at(ious: npt.ArrayLike, threshold: float, *, inclusive: bool = True) -> float:
    """R1@threshold in [0, 1]: the share of rows whose IoU reaches it. ValueError without rows."""
    return _mean(hits(ious, threshold, inclusive=inclusive))


def mean_iou(ious: npt.ArrayLike) -> float:
    """mIoU in [0, 1], over all rows given. ValueError without rows or for NaN."""
    hits(ious, 0.0)  # refuses NaN
    return _mean(np.asarray(ious, dtype=np.float64))


def grounding_scores(
    ious: npt.ArrayLike, thresholds: Sequence[float] = THRESHOLDS, *, inclusive: bool = True
) -> dict[str, float]:
    """``{"R1@0.3": ..., "mIoU": ...}``, shares in [0, 1]."""
    recalls = {f"R1@{t:g}": recall_at(ious, t, inclusive=inclusive) for t in thresholds}
    return recalls | {"mIoU": mean_iou(ious)}


def _mean(values: npt.NDArray[np.float64] | npt.NDArray[np.bool_]) -> float:
    if values.size == 0:
        raise ValueError("there are no rows to average")
    return float(np.mean(values))
