"""Rewards for saying when: IoU in its published shapes, the Wasserstein reward, the penalty for no answer.

All agree on the four cases of `timeground.scoring`, under the protocols of ``reading.py``. A row whose truth is not
known of the clip shown (``Contrasts.has_truth``), or that does not ask when, gives 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field

from timeground import spans
from timeground.chat.trajectory import Trajectory
from timeground.data.rows import Row
from timeground.scoring import Measure, Protocol, compare, parse
from timeground.spans import Span

from .reading import ALL, FIRST, ProtocolName, asks_when, protocol_for, spans_said
from .reward import AS_IT_IS, Contrasts

Positive = Annotated[float, Field(gt=0)]


def tiou(
    trajectory: Trajectory, row: Row, *, contrasts: Contrasts = AS_IT_IS, protocol: ProtocolName | None = None
) -> float:
    """Pay the temporal IoU of the first span said with the true span that it fits best, in [0, 1] (TimeLens).

    TimeLens trains on queries with one span. Where there are several, finding any one of them is right.
    protocol: by which the answer is read instead, see `timeground.scoring`; what is first is the first that counts.
    """
    return _first_span(trajectory, row, contrasts, protocol, spans.iou)


def time_aware_iou(
    trajectory: Trajectory, row: Row, *, contrasts: Contrasts = AS_IT_IS, protocol: ProtocolName | None = None
) -> float:
    """Pay as `tiou`, ``IoU * (1 - |start error| / D) * (1 - |end error| / D)``, in [0, 1] (Time-R1, ArrowGEV).

    D is the length of the row's window in seconds, or of the video. protocol: as for `tiou`.
    """
    return _first_span(
        trajectory, row, contrasts, protocol, lambda said, true: spans.time_aware_iou(said, true, row.extent.length_s)
    )


def set_iou(
    trajectory: Trajectory,
    row: Row,
    *,
    contrasts: Contrasts = AS_IT_IS,
    protocol: ProtocolName | None = None,
    swap_reversed: bool = False,
) -> float:
    """Pay the IoU of all that is said with all that is true, as merged supports, in [0, 1] (TimeLens2's tIoU).

    protocol: by which the answer is read instead, see `timeground.scoring`. swap_reversed: read ``9 - 5`` as
    ``5 - 9``, as TimeLens2's parser does, instead of as no usable answer.
    """
    return _scored(trajectory, row, contrasts, protocol_for(protocol, ALL, swap_reversed), spans.set_iou)


def wasserstein(
    trajectory: Trajectory,
    row: Row,
    *,
    contrasts: Contrasts = AS_IT_IS,
    beta: Positive = 1.0,
    over: Literal["truth", "union"] = "truth",
    swap_reversed: bool = False,
) -> float:
    """Pay ``exp(-beta * W1 / L)``, in [0, 1]: how far, in seconds, what is said lies from what is true (TimeLens2).

    W1 is taken between the uniform densities over the two merged supports. over: L is the length of the true
    support ("truth", as in the paper), or that of both together ("union", as in the released code, where a wide
    guess enlarges its own denominator). A truth without length gives 0.
    """

    def closeness(said: list[Span], true: list[Span]) -> float:
        length_s = spans.total_length_s(true if over == "truth" else [*said, *true])
        return math.exp(-beta * spans.wasserstein_s(said, true) / length_s) if spans.merge(true) else 0.0

    return _scored(trajectory, row, contrasts, protocol_for(None, ALL, swap_reversed), closeness)


def parse_penalty(trajectory: Trajectory, row: Row, *, swap_reversed: bool = False) -> float:
    """Pay -1 for an answer that cannot be used, else 0 (TimeLens2). "It does not happen" is an answer.

    Counts wherever the row asks when, on reversed clips too: no truth is needed to see that nothing was said.
    """
    said = spans_said(trajectory.text, row.query, protocol_for(None, ALL, swap_reversed))
    return -1.0 if asks_when(row) and said is None else 0.0


def closest(said: Span, true: list[Span], measure: Callable[[Span, Span], float]) -> float:
    """Return the measure of a span with the one of several that it fits best; 0 if there is none."""
    return max((measure(said, span) for span in true), default=0.0)


def _first_span(
    trajectory: Trajectory,
    row: Row,
    contrasts: Contrasts,
    protocol: str | None,
    measure: Callable[[Span, Span], float],
) -> float:
    """Return what the first span said is worth, against the true one that it fits best."""
    rule = protocol_for(protocol, FIRST)
    return _scored(trajectory, row, contrasts, rule, lambda said, true: closest(said[0], true, measure))


def _scored(trajectory: Trajectory, row: Row, contrasts: Contrasts, protocol: Protocol, measure: Measure) -> float:
    """Return what the spans that count are worth; 0 where the row does not ask when, or its truth is not known."""
    if not asks_when(row) or not contrasts.has_truth:
        return 0.0
    return compare(parse(trajectory.text, row), row.spans, protocol, measure)
