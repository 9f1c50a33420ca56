"""Columns, TRL's form of rows and answers: lists that hold a value for each completion."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, cast, get_args

from timeground.chat.parts import Message
from timeground.chat.trajectory import Trajectory, Turn
from timeground.data.row_checks import CHECKS, Direction, shown
from timeground.data.rows import Row, Task, from_cells
from timeground.errors import UserError
from timeground.spans import Span

from .reward import Contrasts, Question

KNOWN = ("spans", "duration", "window", "direction", "is_backward", "question", "options", "answer", "meta")
MADE_BY_RUN = ("group", "backward", "shuffled")
"""Columns that no data set holds: a trainer makes them while it samples."""
COLUMN_OF = {"reversed": "backward", "reversed_groups": "backward"}
"""What the answers to a contrast are called; those of others go by the contrast's own name."""


@dataclass(frozen=True)
class ColumnRow:
    """A row of columns, read as a `Row` is; a value that is missing or cannot be used raises UserError when it is."""

    columns: Mapping[str, Any]

    @property
    def spans(self) -> list[Span]:
        """Return when it happens; empty says that it does not."""
        value = self._given("spans", "write [] if it does not happen")
        if not isinstance(value, list | tuple):
            raise UserError(f"column spans must hold a list of [start, end], got {shown(value)}")
        return [_span("spans", pair) for pair in value]

    @property
    def query(self) -> str:
        """Return what was looked for, where the data set says it."""
        value = self.columns.get("query")
        return value if isinstance(value, str) else ""

    @property
    def extent(self) -> Span:
        """Return the part of the file that is meant; all of it unless the row says otherwise."""
        column, pair = "window", self.columns.get("window")
        if pair is None:
            column, pair = "duration", (0, self._given("duration", "write the video's length in seconds"))
        span = _span(column, pair)
        if span.length_s == 0:
            raise UserError(f"column {column} must hold more than 0 seconds, got {shown(pair)}")
        return span

    @property
    def direction(self) -> Direction:
        """Return whether the query tells time's direction (ArrowGEV)."""
        value = self.columns.get("direction") or "unknown"
        if value not in get_args(Direction):
            raise UserError(f"column direction must be one of {', '.join(get_args(Direction))}, got {shown(value)}")
        return cast(Direction, value)

    @property
    def options(self) -> list[str] | None:
        """Return the options of a question, if it has any."""
        return self.columns.get("options") or None

    @property
    def answer(self) -> str | None:
        """Return the right answer of a question: an option letter, "yes"/"no" or text."""
        answer = self.columns.get("answer")
        if not isinstance(answer, str | None):
            raise UserError(f"column answer must hold a letter, yes, no or a text, got {shown(answer)}")
        return answer or None

    @property
    def meta(self) -> dict[str, Any]:
        """Return what else is known, an object or its JSON text; {} for anything else, which is not a row's.

        Arrow gives every row the keys of all, None where a row lacks them.
        """
        cells = from_cells({"meta": self.columns.get("meta")})
        meta = cells.get("meta") if isinstance(cells, dict) else None
        known = {key: value for key, value in meta.items() if value is not None} if isinstance(meta, dict) else {}
        return cast(dict[str, Any], CHECKS["meta"]("column meta", known))

    @property
    def task(self) -> Task:
        """Return what the row asks, by the rule of `Row`."""
        asked = self.columns.get("question")
        return Row("", "", 0.0, question=asked, options=self.options, answer=self.answer, meta=self.meta).task

    @property
    def contrasts(self) -> Contrasts:
        """Return what is known of changed clips."""
        if not self.columns.get("is_backward"):
            return Contrasts(_ContrastColumns(self.columns))
        insensitive = self.direction == "insensitive"  # see REVERSED of rollout/contrasts.py
        return Contrasts(_ContrastColumns(self.columns), "reversed_groups", insensitive)

    @property
    def group(self) -> Hashable:
        """Return a value that is the same for completions that answer the same prompt."""
        group: Hashable = self._given("group", "number the prompts")
        return group

    def _given(self, column: str, advice: str) -> Any:
        value = self.columns.get(column)
        if value is None:
            raise UserError(f"the column {column} is missing or empty; {advice}")
        return value


@dataclass(frozen=True)
class _ContrastColumns(Mapping[str, Sequence[Trajectory]]):
    """Answers to changed clips, each in the column of its contrast."""

    columns: Mapping[str, Any]

    def __getitem__(self, name: str) -> list[Trajectory]:
        column = COLUMN_OF.get(name, name)
        if column not in self.columns:
            raise UserError(f"needs the column {column}, with answers of the model; the trainer makes it")
        value = self.columns[column]
        return (
            [] if value is None else [trajectory_of(t) for t in texts_of([value] if isinstance(value, str) else value)]
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)


def columns_of(questions: Sequence[Question]) -> dict[str, list[Any]]:
    """Return the columns of questions: each row's fields, once for each of its answers; spans are pairs."""
    found: dict[str, list[Any]] = defaultdict(list)
    for number, question in enumerate(questions):
        row, contrasts = question.row, question.contrasts
        values = {f.name: getattr(row, f.name) for f in fields(row)}
        values |= {"spans": [span.to_list() for span in row.spans], "window": row.extent.to_list()}
        values |= {"prompts": question.prompt, "is_backward": contrasts.shown in COLUMN_OF, "group": number}
        values |= {"backward": None, "shuffled": None}
        for name, answers in contrasts.answers.items():
            values[COLUMN_OF.get(name, name)] = [answer.text for answer in answers]
        for trajectory in question.group:
            found["completions"].append(trajectory.text)
            found["completion_ids"].append([i for turn in trajectory.turns if turn.is_sampled for i in turn.ids])
            for name, value in values.items():
                found[name].append(value)
    return dict(found)


def texts_of(completions: Sequence[Any]) -> list[str]:
    """Return the text of each completion: a string, or TRL's messages, of which the last assistant's counts."""
    return [completion if isinstance(completion, str) else _last_said(completion) for completion in completions]


def _last_said(messages: Any) -> str:
    """Return the text of the last message of the assistant; its content is a string or a list of parts."""
    try:
        said = [message for message in messages if message["role"] == "assistant"]
        content = said[-1]["content"] if said else ""
        if isinstance(content, str | None):
            return content or ""
        return "".join(part["text"] for part in content if "text" in part)
    except (TypeError, KeyError):
        raise UserError(
            f"a completion must be a text or a list of messages with role and content, got {shown(messages)}"
        ) from None


def trajectory_of(text: str) -> Trajectory:
    """Return the trajectory of a text that was sampled elsewhere."""
    return Trajectory((Turn(Message.of("assistant", text)),))


def rows_of(count: int, columns: Mapping[str, Any]) -> list[ColumnRow]:
    """Return a row for each completion. Raise UserError if a column that we know has another length."""
    usable = {n: values for n, values in columns.items() if isinstance(values, list | tuple) and len(values) == count}
    for name in (*KNOWN, *MADE_BY_RUN):
        if name not in usable and columns.get(name) is not None:
            raise UserError(f"the column {name} must be a list with a value for each of the {count} completions")
    return [ColumnRow({name: values[index] for name, values in usable.items()}) for index in range(count)]


def _span(column: str, pair: Any) -> Span:
    """Return a span from a pair of seconds, or as it is."""
    try:
        start_s, end_s = pair.to_list() if isinstance(pair, Span) else pair
        span = Span(start_s, end_s)
    except (TypeError, ValueError):
        raise UserError(f"column {column} must hold seconds as [start, end], got {shown(pair)}") from None
    if span.is_reversed:
        raise UserError(f"column {column} ends before it starts: {shown(pair)}; swap or drop it")
    return span
