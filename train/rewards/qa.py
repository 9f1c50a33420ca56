"""Rewards for questions: the right option, yes/no or words, alone or together with when it happens."""

from __future__ import annotations

from collections.abc import Sequence

from timeground.chat.trajectory import Trajectory
from timeground.data.row_checks import shown
from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.grammar.answers import parse_option, parse_yes_no
from timeground.grammar.reply import final_text, plain_words
from timeground.scoring import parse_when, whole_iou

from .reading import ALL, ProtocolName, protocol_for
from .reward import AS_IT_IS, Contrasts, NonNegative


def choice(trajectory: Trajectory, row: Row, *, contrasts: Contrasts = AS_IT_IS) -> float:
    """Pay 1 for the right option letter, or the right yes/no, else 0 (Video-R1, Temporal-RLT's discrete reward).

    `answer` is a letter, the text of an option, or yes/no. A row without an answer, or with an open one, gives 0.
    """
    if row.answer is None or not contrasts.has_truth:
        return 0.0
    return float(_is_right(trajectory.text, row.answer, row.options))


def grounded_choice(
    trajectory: Trajectory,
    row: Row,
    *,
    contrasts: Contrasts = AS_IT_IS,
    choice_weight: NonNegative = 1.0,
    iou_weight: NonNegative = 1.0,
    protocol: ProtocolName | None = None,
) -> float:
    """Pay ``choice_weight * [right answer] + iou_weight * IoU``, for grounded questions (Temporal-RLT).

    The IoU is that of merged supports (VideoChat-R1), for a single span the plain one. The paper adds the two
    unweighted. Rows without an answer give 0; `tiou` and its like are for those.
    protocol: by which the times are read, as for `set_iou`.
    """
    if row.answer is None or not contrasts.has_truth:
        return 0.0
    text = trajectory.text
    overlap = whole_iou(parse_when(text, row.query), row.spans, protocol_for(protocol, ALL))
    return choice_weight * _is_right(text, row.answer, row.options) + iou_weight * overlap


def exact(trajectory: Trajectory, row: Row, *, contrasts: Contrasts = AS_IT_IS) -> float:
    """Pay 1 for the answer of an open question in its very words, else 0; other rows give 0.

    Case, blanks and punctuation at the end do not count, and what is thought before the answer is not read.
    """
    if row.task != "open" or row.answer is None or not contrasts.has_truth:
        return 0.0
    said, _ = final_text(trajectory.text)
    return float(plain_words(said) == plain_words(row.answer))


def _is_right(text: str, answer: str, options: Sequence[str] | None) -> bool:
    """Return whether the text names the right answer. Raise UserError if the answer is none of the options.

    Not `scoring.is_right`: TRL's columns may have a letter without options, and yes or no without the question's text.
    """
    answer = answer.strip()
    if not options and answer.lower() in ("yes", "no"):
        return parse_yes_no(text).value == (answer.lower() == "yes")
    if not options and len(answer) != 1:
        return False  # an open answer: being right needs a judge, which is no reward of this file
    right = parse_option(answer, options).letter
    if right is None:
        raise UserError(f"column answer holds {shown(answer)}, which is no letter or text of an option; correct it")
    return parse_option(text, options).letter == right
