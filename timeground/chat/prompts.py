"""The question templates, one set per recipe. What a checkpoint was trained on is what it must be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from timeground.errors import UserError
from timeground.grammar.answers import format_seconds

if TYPE_CHECKING:
    from timeground.data.rows import Row

LETTERS = "ABCDEFGHIJKLMN"
ABSENT_ANSWER = "It does not happen."


@dataclass(frozen=True)
class PromptSet:
    """Templates for each kind of question; ``{query}``, ``{question}`` and ``{options}`` are filled in."""

    ground: str
    choice: str = "{question}\n{options}\nAnswer with the letter of the right option."
    yes_no: str = "{question}\nAnswer yes or no."
    open: str = "{question}"
    events: str = (
        "List the distinct events of the video in their order. Write one event a line, with its start and end in "
        "seconds, like this:\n12.0 - 15.5: a man in a red coat opens the door"
    )
    """Everything that happens, with its times."""
    happens: str = "Does this happen: {query}?"
    """Whether it happens in what is shown, as a question of yes or no."""
    happens_between: str = "Does this happen between {start} and {end} seconds: {query}?"
    span: str = "{start} - {end} seconds"
    """How a span is written in training, with ``{start}`` and ``{end}``."""
    answer: str = "{spans}"
    """The whole answer, with ``{spans}``, joined by commas."""
    absent: str = ABSENT_ANSWER
    """The answer where it does not happen."""


_TIMELENS = (
    "Please find the visual event described by the sentence '{query}', determining its starting and "
    "ending times. The format should be: 'The event happens in <start time> - <end time> seconds'."
)
# Worded as the checkpoints' model cards and published evaluators ask.
PROMPTS: dict[str, PromptSet] = {
    "timelens": PromptSet(ground=_TIMELENS, answer="The event happens in {spans}."),
    "timelens-stamped": PromptSet(
        ground="You are given a video with multiple frames. The numbers before each video frame indicate its "
        "sampling timestamp (in seconds). " + _TIMELENS,
        answer="The event happens in {spans}.",
    ),
    "timelens2": PromptSet(
        ground='Given the query: "{query}", return ALL time spans (in seconds) where the query is relevant.\n'
        "Output format MUST be a JSON array of [start, end] pairs.\n",
        span="[{start}, {end}]",
        answer="[{spans}]",
        absent="[]",
    ),
    "time-r1": PromptSet(
        ground=(
            'To accurately pinpoint the event "{query}" in the video, determine the precise time period of the '
            "event.\n\nOutput your thought process within the <think> </think> tags, including analysis with "
            "either specific timestamps (xx.xx) or time ranges (xx.xx to xx.xx) in <timestep> </timestep> tags.\n\n"
            "Then, provide the start and end times (in seconds, precise to two decimal places) in the format "
            '"start time to end time" within the <answer> </answer> tags. For example: "12.54 to 17.83".'
        ),
        choice=(
            "{question}\n{options}\nOutput your thought process within the <think> </think> tags, then the letter "
            "of the right option within the <answer> </answer> tags."
        ),
        span="{start} to {end}",
        answer="<answer>{spans}</answer>",
    ),
    "short": PromptSet(ground="When does this happen: {query}?", events="List the events with their times."),
}


def get_prompts(name: str) -> PromptSet:
    """Return the prompt set of a name; a UserError lists the names there are."""
    if name not in PROMPTS:
        raise UserError(f"unknown prompt set {name!r}; there are: {', '.join(PROMPTS)}")
    return PROMPTS[name]


def ground_prompt(prompts: PromptSet, query: str) -> str:
    """Return the question for a grounding query. The query is tidied: one line, no final full stop."""
    query = " ".join(query.split()).rstrip(".")
    if not query:
        raise UserError("the query is empty; write a sentence that says what to look for")
    return prompts.ground.format(query=query)


def choice_prompt(prompts: PromptSet, question: str, options: list[str]) -> str:
    """Return the question with its options, lettered from A."""
    if not 2 <= len(options) <= len(LETTERS):
        raise UserError(f"{len(options)} options given; a question takes 2 to {len(LETTERS)}")
    listed = "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))
    return prompts.choice.format(question=question, options=listed)


def as_texts(texts: str | Sequence[str]) -> list[str]:
    """Return a list of texts; one string is one text, never its letters."""
    return [texts] if isinstance(texts, str) else list(texts)


def row_prompt(prompts: PromptSet, row: Row) -> str:
    """Return what a row asks."""
    if row.task == "choice":
        return choice_prompt(prompts, row.question or "", row.options or [])
    if row.task == "yes_no":
        return prompts.yes_no.format(question=row.question)
    if row.task in ("events", "open"):
        return prompts.open.format(question=row.question)
    return ground_prompt(prompts, row.query)


def row_answer(prompts: PromptSet, row: Row) -> str:
    """Return the answer text that a model is trained to give for a row."""
    if row.task in ("choice", "yes_no", "open"):
        return row.answer or ""
    if row.task == "events":
        return "\n".join(_event_line(event["query"], *event["span"]) for event in row.meta["events"])
    if not row.spans:
        return prompts.absent
    times = ((format_seconds(span.start_s), format_seconds(span.end_s)) for span in row.spans)
    return prompts.answer.format(spans=", ".join(prompts.span.format(start=start, end=end) for start, end in times))


def _event_line(query: str, start_s: float, end_s: float) -> str:
    return f"{format_seconds(start_s)} - {format_seconds(end_s)}: {query}"
