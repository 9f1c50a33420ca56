"""Lists of events, as dense captioning gives them: how well what is said matches what is true, one to one.

The temporal F1 of dense video captioning (ActivityNet Captions' localisation; TimeChat and Time-R1 report it at single
thresholds) with a credit that grows up to the threshold instead of jumping there, so that it can be a reward.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from timeground.grammar.reply import plain_words
from timeground.spans import Span, iou

Event = tuple[str, Span]
"""What happens, and when."""
Words = Literal["same", "any"]
"""Only events of the same words match, up to case, blanks and final punctuation; or times alone count."""


def event_f1(said: Sequence[Event], true: Sequence[Event], full_iou: float = 0.5, words: Words = "same") -> float:
    """Return ``2 * credit / (said + true)``, in [0, 1], for the one-to-one matching with the largest credit.

    A pair's credit is ``min(1, IoU / full_iou)``. Two empty lists give 1, one empty list gives 0.
    """
    from scipy.optimize import linear_sum_assignment

    if not said or not true:
        return float(not said and not true)
    named_said, named_true = (
        [(plain_words(text) if words == "same" else "", span) for text, span in events] for events in (said, true)
    )
    credit = np.array(
        [[min(1.0, iou(a, b) / full_iou) if x == y else 0.0 for y, b in named_true] for x, a in named_said]
    )
    matched = credit[linear_sum_assignment(credit, maximize=True)]
    return 2 * float(matched.sum()) / (len(said) + len(true))
