"""Answers as JSON, CSV and SRT, for files and for the API."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from timeground.files.json_text import dump_json
from timeground.methods.grounder import GroundingAnswer
from timeground.spans import Span, clamp

from .service import Timed
from .videos import Video

Answers = Sequence[Timed[GroundingAnswer]]


def shown_spans(answer: GroundingAnswer, duration_s: float) -> list[Span]:
    """Return the spans as they can be shown: ends in order, inside the video. The raw text still has what was said."""
    return [clamp(span.ordered(), 0.0, duration_s) for span in answer.spans]


def as_data(video: Video, model: str, answers: Answers) -> dict[str, Any]:
    """Return everything about a set of answers."""
    return {
        "video": video.name,
        "duration": round(video.duration_s, 3),
        "model": model,
        "warning": answers[0].answer.warning if answers else None,
        "answers": [{**timed.answer.to_json(), "seconds": round(timed.seconds, 4)} for timed in answers],
    }


def downloads(video: Video, model: str, answers: Answers) -> dict[str, str]:
    """Return file contents by extension."""
    return {
        "json": dump_json(as_data(video, model, answers), indent=2),
        "csv": as_csv(answers, video.duration_s),
        "srt": as_srt(answers, video.duration_s),
    }


def as_csv(answers: Answers, duration_s: float) -> str:
    """Return one line a span; a query without a span has one line with empty times."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["query", "start_s", "end_s", "absent", "confidence", "model"])
    for timed in answers:
        answer = timed.answer
        certainty = "" if answer.confidence is None else f"{answer.confidence:.4f}"
        for span in shown_spans(answer, duration_s):
            writer.writerow([answer.query, f"{span.start_s:.3f}", f"{span.end_s:.3f}", False, certainty, answer.model])
        if not answer.spans:
            writer.writerow([answer.query, "", "", answer.absent, certainty, answer.model])
    return out.getvalue()


def as_srt(answers: Answers, duration_s: float) -> str:
    """Return subtitles: each query stands in the picture while its span lasts.

    Players read < as markup, so it is replaced.
    """
    cues = sorted(
        (span.start_s, span.end_s, timed.answer.query)
        for timed in answers
        for span in shown_spans(timed.answer, duration_s)
    )
    plain = str.maketrans({"<": "(", ">": ")", "{": "(", "}": ")"})
    return "".join(
        f"{number}\n{_srt_time(start_s)} --> {_srt_time(end_s)}\n{query.translate(plain)}\n\n"
        for number, (start_s, end_s, query) in enumerate(cues, start=1)
    )


def _srt_time(time_s: float) -> str:
    ms = round(time_s * 1000)
    return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d},{ms % 1000:03d}"
