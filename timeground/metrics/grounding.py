"""Recall of grounding answers at a threshold.

Benchmarks disagree on the comparison: TimeLens, lmms-eval and QVHighlights count ``IoU >= t``, Time-R1 and 2D-TAN
count ``IoU > t``. Every function here takes ``inclusive`` and says which it means by default.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

THRESHOLDS = (0.3, 0.5, 0.7)
"""What most papers report."""


def hits(ious: npt.ArrayLike, threshold: float, *, inclusive: bool = True) -> npt.NDArray[np.bool_]:
    """Return which IoUs reach a threshold: ``>=`` if inclusive, else ``>``.

    Raise ValueError for NaN, which reaches none.
    """
    values = np.asarray(ious, dtype=np.float64)
    if np.isnan(values).any():
        raise ValueError("an IoU is NaN; decide what a degenerate span is worth before counting")
    return values >= threshold if inclusive else values > threshold


def recall_at(ious: npt.ArrayLike, threshold: float, *, inclusive: bool = True) -> float:
    """Return R1@threshold in [0, 1]: the share of rows whose IoU reaches it. Raise ValueError without rows."""
    return _mean(hits(ious, threshold, inclusive=inclusive))


def _mean(values: npt.NDArray[np.float64] | npt.NDArray[np.bool_]) -> float:
    if values.size == 0:
        raise ValueError("there are no rows to average")
    return float(np.mean(values))
