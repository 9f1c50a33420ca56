"""Rewards for the form of an answer: 1 if the whole output has it, else 0. They count on every row."""

from __future__ import annotations

import re

from timeground.chat.trajectory import Trajectory
from timeground.data.rows import Row
from timeground.scoring import parse

_INSIDE = r"(?:(?!</?(?:think|answer)>).)*"  # a block holds no other block, so none can be said twice
_ANSWER = rf"<answer>{_INSIDE}</answer>"
_THINK_ANSWER = re.compile(rf"\s*<think>{_INSIDE}</think>\s*{_ANSWER}\s*", re.DOTALL)
_ANSWER_ONLY = re.compile(rf"\s*{_ANSWER}\s*", re.DOTALL)
_TAG = re.compile(r"</?[a-z_]+>|<\|", re.IGNORECASE)  # <5.0> is a time


def format_think(trajectory: Trajectory) -> float:
    """Pay 1 if the output is one ``<think>`` block and then one ``<answer>`` block (Time-R1, Video-R1).

    Stricter than the published patterns, which let text with further blocks pass between the two ends.
    """
    return float(_THINK_ANSWER.fullmatch(trajectory.text) is not None)


def format_answer(trajectory: Trajectory) -> float:
    """Pay 1 if the output is one ``<answer>`` block (Time-R1 without thinking)."""
    return float(_ANSWER_ONLY.fullmatch(trajectory.text) is not None)


def format_plain(trajectory: Trajectory, row: Row, *, max_chars: int = 200) -> float:
    """Pay 1 if the output is one line of at most `max_chars` characters that the grammar reads, without any tag.

    The form of TimeLens' answers: "The event happens in 3.0 - 7.5 seconds."
    """
    said = trajectory.text.strip()
    is_plain = len(said) <= max_chars and "\n" not in said and not _TAG.search(said)
    return float(is_plain and _is_read(said, row))


def _is_read(text: str, row: Row) -> bool:
    """Return whether the grammar finds in the text what the row asks for; open questions and events take any text."""
    return text != "" if row.task == "events" else parse(text, row).parsed
