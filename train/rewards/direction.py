"""Rewards that use the clip played wrongly: ArrowGEV's direction term, and T-GRPO's bonus for order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import Literal

from timeground.errors import UserError
from timeground.spans import Span, mirror_all, time_aware_iou

from .grounding import closest
from .reading import spans_said
from .registry import load_reward
from .reward import NonNegative, group_reward, reward
from .row import RewardRow


@reward("spans", "duration", "direction", "backward")
def direction(
    text: str,
    row: RewardRow,
    *,
    alpha: NonNegative = 0.5,
    unparsed: Literal["none", "published"] = "none",
    truth: Literal["answer", "mirrored"] = "answer",
) -> float:
    """``alpha * (1 - S)`` on time-sensitive rows, ``alpha * S`` on insensitive ones, else 0; in [0, alpha] (ArrowGEV).

    S is the time-aware IoU of p, the first span of the completion, with an answer q on the reversed clip,
    mirrored in time within the window (the same as that of q with mirrored p). Of several q the mean counts.
    Completions on the reversed clip (`is_backward`) are compared with the mirrored truth, which is `spans`.
    Rows on which nothing happens give 0: they hold nothing that a reversed clip could turn round.

    unparsed: "none" gives nothing where p or q is no usable answer, or p has no span. "published" takes such an
    answer for the span (0, 0), so that S = 0 and a time-sensitive row pays alpha for it. That q (or an answer on
    a reversed clip) says "it does not happen" is an answer in both: S = 0.
    truth: "mirrored" gives nothing on forward clips; for runs in which reversed clips are groups of their own.
    """
    if row.direction == "unknown" or not row.asks_when or not row.spans:
        return 0.0
    said = spans_said(text, row.query, first_only=True)
    if row.is_backward:
        agreements = [_agreement(said, row.spans, row)]
    elif truth == "mirrored":
        return 0.0
    else:
        agreements = [_agreement(said or None, _mirrored(q, row), row) for q in row.backward]
    known = [0.0 if s is None and unparsed == "published" else s for s in agreements]
    terms = [0.0 if s is None else s if row.direction == "insensitive" else 1 - s for s in known]
    return alpha * fmean(terms) if terms else 0.0


def check_direction(backward: Literal["greedy", "group"] | str, truth: str = "answer") -> None:
    """Refuse settings of a run under which the direction term would teach nothing.

    backward: the reversed clip is answered once and greedily for a whole group, or is a group of its own.
    UserError for a greedy answer with ``truth="mirrored"``: S would be the same for every member of a group.
    """
    for name, value, known in (("backward", backward, ("greedy", "group")), ("truth", truth, ("answer", "mirrored"))):
        if value not in known:
            raise UserError(f"reward direction: {name} is {value!r}; it is one of {', '.join(known)}")
    if backward == "greedy" and truth == "mirrored":
        raise UserError(
            "reward direction: one greedy backward answer compared with the mirrored truth is the same for a whole "
            'group and teaches nothing; use truth "answer", or make the backward answers a group'
        )


@group_reward("shuffled", "group")
def shuffle_bonus(
    texts: Sequence[str],
    rows: Sequence[RewardRow],
    *,
    accuracy: str | None = None,
    ratio: NonNegative = 0.8,
    bonus: NonNegative = 0.3,
    floor: NonNegative = 0.1,
) -> list[float]:
    """`bonus` for answers better than `floor`, where order helps the group; else 0 (T-GRPO of Video-R1).

    Order helps if ``mean accuracy >= ratio * mean accuracy on shuffled frames``. Rows with the same `group` are a
    group, and its first row's `shuffled` are its answers on shuffled frames; without any there is no bonus.
    accuracy: a reward that measures it; by default `tiou` for rows that ask when and `choice` for questions.
    Video-R1's author calls 0.8 a relaxation from debugging; 1.0 works equally.
    """
    groups: dict[object, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        groups[row.group].append(index)
    bonuses = [0.0] * len(texts)
    for members in groups.values():
        ordered = [_accuracy(texts[i], rows[i], accuracy) for i in members]
        first = rows[members[0]]
        shuffled = [_accuracy(text, first, accuracy) for text in first.shuffled]
        if shuffled and fmean(ordered) >= ratio * fmean(shuffled) - 1e-9:  # 3/5 is to be no less than 0.8 of 3/4
            for index, value in zip(members, ordered, strict=True):
                bonuses[index] = bonus if value > floor else 0.0
    return bonuses


def _mirrored(text: str, row: RewardRow) -> list[Span] | None:
    """The spans said of the reversed clip, in times of the clip played forwards."""
    said = spans_said(text, row.query)
    return None if said is None else mirror_all(said, row.window.start_s, row.window.end_s)


def _agreement(said: list[Span] | None, others: list[Span] | None, row: RewardRow) -> float | None:
    """S in [0, 1] of the first span said; None if one of the two is no usable answer."""
    if said is None or others is None:
        return None
    duration_s = row.window.length_s
    return closest(said[0], others, lambda a, b: time_aware_iou(a, b, duration_s)) if said else 0.0


def _accuracy(text: str, row: RewardRow, name: str | None) -> float:
    """How right one answer is, by the reward of that name."""
    measure = load_reward(name or ("tiou" if row.asks_when else "choice"))
    return float(measure([text], **{column: [value] for column, value in row.columns.items()})[0])
