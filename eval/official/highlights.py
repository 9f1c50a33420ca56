"""QVHighlights' highlight detection: does the predicted saliency of 2-second clips rank the right ones high?

Three annotators scored the clips inside the relevant windows from 0 to 4; the others count 0. A clip is positive at
>= 2 (Fair), >= 3 (Good) or >= 4 (VeryGood). **Hit1**: the clip of highest predicted saliency (the first one on ties)
is positive for any annotator; a clip past the end of the truth is no hit. **mAP**: average precision per query and
annotator, then the mean of all; a prediction longer than the truth is cut, a shorter one filled with zeros. Labels
that are all negative give 0, all positive 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from timeground.data.rows import Row
from timeground.errors import UserError

Floats = npt.NDArray[np.float64]

LEVELS = {"Fair": 2, "Good": 3, "VeryGood": 4}
CLIP_S = 2
NUM_ANNOTATORS = 3


def highlight_scores(saliencies: Mapping[str, Sequence[float]], rows: Sequence[Row]) -> dict[str, float | None]:
    """Return ``HL-min-<level>-mAP`` and ``-Hit1`` in percent over the rows."""
    per_row = [row_scores(saliencies[row.id], row) for row in rows]
    return {name: 100 * float(np.mean([scores[name] for scores in per_row])) for name in per_row[0]}


def row_scores(saliency: Sequence[float], row: Row) -> dict[str, float]:
    """Return the six values of one query, in [0, 1]."""
    labels = annotator_scores(row)
    predicted = np.asarray(saliency, dtype=np.float64)
    found = {}
    for name, least in LEVELS.items():
        positive = labels >= least
        precisions = [average_precision(positive[:, k], predicted) for k in range(NUM_ANNOTATORS)]
        found[f"HL-min-{name}-mAP"] = float(np.mean(precisions))
        best = int(np.argmax(predicted)) if predicted.size else len(labels)
        found[f"HL-min-{name}-Hit1"] = float(best < len(labels) and positive[best].any())
    return found


def annotator_scores(row: Row) -> Floats:
    """Return scores ``[clips, annotators]``; 0 outside the relevant clips."""
    labels = np.zeros((int(row.duration / CLIP_S), NUM_ANNOTATORS))
    if not {"relevant_clip_ids", "saliency_scores"} <= set(row.meta):
        raise UserError(f"row {row.id}: its meta has no saliency to score highlights against; use the release file")
    labels[row.meta["relevant_clip_ids"]] = row.meta["saliency_scores"]
    return labels


def average_precision(positive: npt.NDArray[np.bool_], predicted: Floats) -> float:
    """Average, over the scores at which recall grows, the best precision at that recall or a higher one."""
    if positive.all() or not positive.any():
        return float(positive.all())
    size = len(positive)
    predicted = np.concatenate([predicted[:size], np.zeros(max(0, size - len(predicted)))])
    order = np.argsort(-predicted, kind="stable")
    last_of_tie = np.append(np.diff(predicted[order]) != 0, True)
    num_hits = np.cumsum(positive[order])[last_of_tie]
    precision = num_hits / (np.flatnonzero(last_of_tie) + 1)
    best_later = np.maximum.accumulate(precision[::-1])[::-1]
    grows = np.diff(num_hits, prepend=0) > 0
    return float(np.mean(best_later[grows]))
