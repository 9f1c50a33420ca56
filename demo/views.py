"""What the page's own components are shown: plain data, drawn by the scripts in ``web/``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from timeground.chat.prompts import LETTERS
from timeground.methods.base import Trace
from timeground.methods.grounder import ChoiceAnswer, GroundingAnswer
from timeground.report.timeline import COLOURS

from .results import Answers, shown_spans
from .service import Timed
from .videos import Video

Data = dict[str, Any]
FILE_ADDRESS = "/gradio_api/file="


def file_address(path: object) -> str:
    """Return where the page finds a file of the server; Gradio serves uploads and what ships, and nothing else."""
    return FILE_ADDRESS + quote(str(path))


def player(video: Video, strip: Sequence[Data], tab: str | None = None, **result: Any) -> Data:
    """Return the player: a video with its strip of frames, and what a tab found in it.

    tab: whose result this is; None for a video of which nothing was asked. result: ``tracks`` (see `track`),
    ``choice``, ``score``, ``notes`` (lines to know), ``downloads`` (contents by extension) and ``model`` (for the
    names of these files).
    """
    return {
        "src": file_address(video.path),
        "id": video.id,
        "name": video.name,
        "duration_s": video.duration_s,
        "strip": list(strip),
        "tab": tab,
        **result,
    }


def file_word(model: str) -> str:
    """Return a model's name as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", model.rsplit("/", 1)[-1]).strip("-.") or "model"


def track(rows: Sequence[Data], title: str = "", backwards: bool = False) -> Data:
    """Return a timeline. backwards: its axis is that of the video played backwards."""
    return {"title": title, "backwards": backwards, "rows": list(rows)}


def rows(answers: Answers, duration_s: float) -> list[Data]:
    """Return a coloured row for each query."""
    return [row(number, timed, duration_s) for number, timed in enumerate(answers)]


def row(number: int, timed: Timed[GroundingAnswer], duration_s: float, label: str | None = None) -> Data:
    """Return one row: its bars and what is said beside and below them."""
    answer = timed.answer
    certainty = f"{answer.certainty}, " if answer.certainty else ""
    return {
        "label": label or answer.query,
        "colour": number % len(COLOURS),
        "spans": [span.to_list() for span in shown_spans(answer, duration_s)],
        "none": "Does not happen, says the model." if answer.absent else f"No time in the answer: {answer.text!r}",
        "note": f"{certainty}{timed.seconds:.2f} s{', outside what was shown' * answer.outside}",
        "seconds": timed.seconds,
        "looks": looks(answer.trace),
    }


def looks(trace: Trace) -> list[Data]:
    """Return the windows that a method looked at, in order; none where it was one."""
    if len(trace.looks) < 2:
        return []
    scanned = any(look.parent is not None for look in trace.looks)
    return [
        {
            "window": look.window.to_list(),
            "score": look.score or 0.0,
            "kind": "draft" if look.is_draft else "scan" if scanned and look.parent is None else "close",
        }
        for look in trace.looks
    ]


def choice(answer: ChoiceAnswer, options: Sequence[str]) -> Data:
    """Return a question with its options: the probability of each, and which one the model named."""
    shown = [
        {"letter": letter, "text": option, "share": share, "is_chosen": letter == answer.letter}
        for letter, option, share in zip(LETTERS, options, answer.shares, strict=False)
    ]
    return {"question": answer.question, "options": shown}


def choice_text(timed: Timed[ChoiceAnswer]) -> str:
    """Return the chosen option."""
    answer = timed.answer
    said = f"{answer.letter}. {answer.option}" if answer.letter else f"no option: {answer.text!r}"
    return f"Answer: {said} ({timed.seconds:.2f} s)"


def direction_text(score: float | None, is_unreadable: bool = False) -> str:
    """Return what a direction score says. is_unreadable: there is none because an answer could not be read."""
    if score is None and is_unreadable:
        return "No direction score: an answer could not be read, so nothing can be told."
    if score is None:
        return "No direction score: nothing was found in the video as it is, so nothing can be told."
    if score < 0.5:
        return (
            "On the reversed video the model finds the same moment. Either the query holds both ways, or the model "
            "does not see the arrow of time in it."
        )
    return (
        "On the reversed video the model does not find this moment again. For a query that tells a direction, that is "
        "right."
    )


def status(text: str, kind: str = "done", share: float | None = None, tab: str | None = None) -> Data:
    """Return the status line. kind: busy, done or error. tab: which tab it belongs to; None for all of them."""
    return {"text": text, "kind": kind, "share": share, "tab": tab}
