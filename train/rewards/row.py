"""One row's columns as a reward sees them, each read when it is asked for."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, cast, get_args

from timeground.data.row_checks import Direction, shown
from timeground.data.rows import Row, Task
from timeground.errors import UserError
from timeground.spans import Span

from .reading import texts_of

KNOWN = ("spans", "duration", "window", "direction", "is_backward", "question", "options", "answer")
MADE_BY_RUN = ("backward", "shuffled", "group")
"""Columns that no data set holds: a trainer makes them while it samples. They are missed only where they are read."""


@dataclass(frozen=True)
class RewardRow:
    """What is known about the question that a completion answers. All times are seconds of the file.

    columns: the row's value of every column. A value that cannot be used raises UserError when it is read.
    """

    columns: Mapping[str, Any]

    @property
    def spans(self) -> list[Span]:
        """When it happens; empty says that it does not."""
        value = self._given("spans", "write [] if it does not happen")
        if not isinstance(value, list | tuple):
            raise UserError(f"column spans must hold a list of [start, end], got {shown(value)}")
        return [_span("spans", pair) for pair in value]

    @property
    def query(self) -> str | None:
        """What was looked for, where the data set says it."""
        value = self.columns.get("query")
        return value if isinstance(value, str) else None

    @property
    def window(self) -> Span:
        """The part of the file that is meant; all of it unless the row says otherwise."""
        column, pair = "window", self.columns.get("window")
        if pair is None:
            column, pair = "duration", (0, self._given("duration", "write the video's length in seconds"))
        span = _span(column, pair)
        if span.length_s == 0:
            raise UserError(f"column {column} must hold more than 0 seconds, got {shown(pair)}")
        return span

    @property
    def direction(self) -> Direction:
        """Whether the query tells time's direction (ArrowGEV)."""
        value = self.columns.get("direction") or "unknown"
        if value not in get_args(Direction):
            raise UserError(f"column direction must be one of {', '.join(get_args(Direction))}, got {shown(value)}")
        return cast(Direction, value)

    @property
    def backward(self) -> list[str]:
        """Answers given to the reversed clip; one text stands for a list of one."""
        return self._texts("backward")

    @property
    def shuffled(self) -> list[str]:
        """Answers given to the clip with its frames shuffled."""
        return self._texts("shuffled")

    @property
    def group(self) -> Hashable:
        """Completions with the same value answer the same prompt."""
        group: Hashable = self._given("group", "number the prompts")
        return group

    @property
    def options(self) -> list[str] | None:
        """The options of a question, if it has any."""
        return self.columns.get("options") or None

    @property
    def answer(self) -> str | None:
        """The right answer of a question: an option letter, "yes"/"no" or text."""
        answer = self.columns.get("answer")
        if not isinstance(answer, str | None):
            raise UserError(f"column answer must hold a letter, yes, no or a text, got {shown(answer)}")
        return answer or None

    @property
    def task(self) -> Task:
        """What the row asks, by the rule of ``timeground.data.rows.Row``; a list of events is asked for as "ground"."""
        question = self.columns.get("question")
        return Row("", "", 0.0, question=question, options=self.options, answer=self.answer).task

    @property
    def asks_when(self) -> bool:
        """Whether the answer is made of spans. Other questions are scored by the rewards of ``qa.py``."""
        return self.task == "ground"

    @property
    def is_backward(self) -> bool:
        """Whether the completion answers the reversed clip, with `spans` mirrored already."""
        return bool(self.columns.get("is_backward"))

    @property
    def has_truth(self) -> bool:
        """Whether `spans` and `answer` are true of the clip that was shown.

        Of a reversed clip they are known to be true only for time-insensitive rows: what a time-sensitive query
        names does not happen in reverse. Rewards for being right count nowhere else; this is the one place.
        """
        return not self.is_backward or self.direction == "insensitive"

    def _given(self, column: str, advice: str) -> Any:
        value = self.columns.get(column)
        if value is None:
            raise UserError(f"the column {column} is missing or empty; {advice}")
        return value

    def _texts(self, column: str) -> list[str]:
        if column not in self.columns:
            raise UserError(f"needs the column {column}, with answers of the model; the trainer makes it")
        value = self.columns[column]
        return [] if value is None else texts_of([value] if isinstance(value, str) else value)


def _span(column: str, pair: Any) -> Span:
    """A span from a pair of seconds, or as it is."""
    try:
        start_s, end_s = pair.to_list() if isinstance(pair, Span) else pair
        span = Span(start_s, end_s)
    except (TypeError, ValueError):
        raise UserError(f"column {column} must hold seconds as [start, end], got {shown(pair)}") from None
    if span.is_reversed:
        raise UserError(f"column {column} ends before it starts: {shown(pair)}; swap or drop it")
    return span
