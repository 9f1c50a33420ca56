"""Rewards that compare with a changed clip: ArrowGEV's direction term, and T-GRPO's bonus for order."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Literal

from timeground.chat.trajectory import Trajectory
from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.spans import Span, mirror_all, time_aware_iou

from .grounding import closest
from .reading import FIRST, asks_when, spans_said
from .reward import Contrasts, NonNegative, Reward, needs_contrast


@needs_contrast("reversed", "reversed_groups")
def direction(
    trajectory: Trajectory,
    row: Row,
    *,
    contrasts: Contrasts,
    alpha: NonNegative = 0.5,
    unparsed: Literal["none", "published"] = "none",
) -> float:
    """Pay ``alpha * (1 - S)`` on time-sensitive rows, ``alpha * S`` on insensitive ones, else 0 (ArrowGEV).

    S is the time-aware IoU of p, the first span said, with an answer q on the reversed clip (contrast `reversed`),
    mirrored in time within the window (the same as that of q with mirrored p). Of several q the mean counts; without
    any the term is 0. Answers on a reversed clip of `reversed_groups` are compared with the mirrored truth, which is
    the row's spans, and forward ones there earn nothing.
    Rows on which nothing happens give 0: they hold nothing that a reversed clip could turn round.

    unparsed: "none" gives nothing where p or q is no usable answer, or p has no span. "published" takes such an
    answer for the span (0, 0), so that S = 0 and a time-sensitive row pays alpha for it. That q (or an answer on
    a reversed clip) says "it does not happen" is an answer in both: S = 0.
    """
    if row.direction == "unknown" or not asks_when(row) or not row.spans:
        return 0.0
    said = spans_said(trajectory.text, row.query, FIRST)
    if contrasts.shown == "reversed_groups":
        agreements = [_agreement(said, row.spans, row)]
    else:
        others = contrasts.answers.get("reversed", ())
        agreements = [_agreement(said or None, _mirrored(other.text, row), row) for other in others]
    known = [0.0 if s is None and unparsed == "published" else s for s in agreements]
    terms = [0.0 if s is None else s if row.direction == "insensitive" else 1 - s for s in known]
    return alpha * fmean(terms) if terms else 0.0


@needs_contrast("shuffled")
def shuffle_bonus(
    trajectory: Trajectory,
    row: Row,
    *,
    group: Sequence[Trajectory],
    contrasts: Contrasts,
    accuracy: str | None = None,
    ratio: NonNegative = 0.8,
    bonus: NonNegative = 0.3,
    floor: NonNegative = 0.1,
) -> float:
    """Pay `bonus` for answers better than `floor`, where order helps the group; else 0 (T-GRPO of Video-R1).

    Order helps if ``mean accuracy >= ratio * mean accuracy on shuffled frames``; without answers on shuffled frames
    there is no bonus. accuracy: a reward that measures it; by default `tiou` for rows that ask when and `choice` for
    questions. Video-R1's author calls 0.8 a relaxation from debugging; 1.0 works equally.
    """
    others = contrasts.answers.get("shuffled", ())
    if not others or _accuracy(trajectory, row, contrasts, accuracy) <= floor:
        return 0.0
    ordered = fmean(_accuracy(other, row, contrasts, accuracy) for other in group)
    shuffled = fmean(_accuracy(other, row, contrasts, accuracy) for other in others)
    return bonus if ordered >= ratio * shuffled - 1e-9 else 0.0  # 3/5 is to be no less than 0.8 of 3/4


def _mirrored(text: str, row: Row) -> list[Span] | None:
    """Return the spans said of the reversed clip, in times of the clip played forwards."""
    said = spans_said(text, row.query)
    return None if said is None else mirror_all(said, row.extent.start_s, row.extent.end_s)


def _agreement(said: list[Span] | None, others: list[Span] | None, row: Row) -> float | None:
    """Return S in [0, 1] of the first span said; None if one of the two is no usable answer."""
    if said is None or others is None:
        return None
    duration_s = row.extent.length_s
    return closest(said[0], others, lambda a, b: time_aware_iou(a, b, duration_s)) if said else 0.0


def _accuracy(trajectory: Trajectory, row: Row, contrasts: Contrasts, name: str | None) -> float:
    """Return how right one answer is, by the reward of that name."""
    from .registry import load_reward  # which lists the rewards of this file

    measure = load_reward(name or ("tiou" if asks_when(row) else "choice"))
    if not isinstance(measure, Reward):
        raise UserError(f"accuracy {name}: name a reward of timeground's own form")
    return measure(trajectory, row, contrasts=contrasts)
