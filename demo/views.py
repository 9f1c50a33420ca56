"""What the page's own components are shown: plain data, drawn by the scripts in ``web/``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

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


def player(video: Video, tracks: Sequence[Data], files: dict[str, str] | None = None, model: str = "") -> Data:
    """Return the player with its timelines.

    files: contents to download, by extension. model: who answered.
    """
    return {
        "src": file_address(video.path),
        "id": video.id,
        "name": video.name,
        "duration_s": video.duration_s,
        "tracks": list(tracks),
        "downloads": files or {},
        "model": model,
    }


def file_word(model: str) -> str:
    """Return a model's name as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", model.rsplit("/", 1)[-1]).strip("-.") or "model"


def track(thumbnails: Sequence[Data], rows: Sequence[Data], title: str = "", backwards: bool = False) -> Data:
    """Return a timeline with its strip. backwards: its axis is that of the video played backwards."""
    return {"title": title, "backwards": backwards, "thumbnails": list(thumbnails), "rows": list(rows)}


def mirrored(thumbnails: Sequence[Data], duration_s: float) -> list[Data]:
    """Return the strip of the video played backwards."""
    return [{**t, "time_s": round(duration_s - t["time_s"], 3)} for t in reversed(thumbnails)]


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
        "none": "does not happen, says the model" if answer.absent else f"no time in the answer: {answer.text!r}",
        "note": f"{certainty}{timed.seconds:.2f} s{', outside what was shown' * answer.outside}",
        "seconds": timed.seconds,
    }


def choice_text(timed: Timed[ChoiceAnswer], options: Sequence[str]) -> str:
    """Return the chosen option and how the probability is spread."""
    answer = timed.answer
    said = f"{answer.letter}. {answer.option}" if answer.letter else f"no option: {answer.text!r}"
    shares = ", ".join(f"{option} {share:.0%}" for option, share in zip(options, answer.shares, strict=True))
    return f"Answer: {said}  ({shares}; {timed.seconds:.2f} s)"


def direction_text(score: float | None, is_unreadable: bool = False) -> str:
    """Return what a direction score says. is_unreadable: there is none because an answer could not be read."""
    if score is None and is_unreadable:
        return "Direction score: none. An answer could not be read, so nothing can be told."
    if score is None:
        return "Direction score: none. Nothing was found in the video as it is, so nothing can be told."
    if score < 0.5:
        return (
            f"Direction score {score:.2f}: on the reversed video the model finds the same moment. "
            "Either the query holds both ways, or the model does not see the arrow of time in it."
        )
    return (
        f"Direction score {score:.2f}: on the reversed video the model does not find this moment again. "
        "For a query that tells a direction, that is right."
    )


def status(text: str, kind: str = "done", share: float | None = None) -> Data:
    """Return the status line. kind: busy, done or error."""
    return {"text": text, "kind": kind, "share": share}
