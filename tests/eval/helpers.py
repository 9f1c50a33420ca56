"""Rows and predictions for tests, short to write."""

from __future__ import annotations

from timeground.eval.reading import Prediction
from timeground.eval.run.answers import Said

from timeground.data.rows import Row
from timeground.methods.base import Outcome
from timeground.scoring import parse
from timeground.spans import Span


def ground(row_id, *spans, video=None, duration=100.0, query="a man sits", **meta):
    return Row(
        id=row_id,
        video=video or f"{row_id}.mp4",
        duration=duration,
        query=query,
        spans=[Span(*span) for span in spans],
        meta=meta,
    )


def choice(row_id, answer, options=("x", "y", "z", "w"), spans=(), video=None, **meta):
    return Row(
        id=row_id,
        video=video or f"{row_id}.mp4",
        duration=50.0,
        question="what?",
        options=list(options),
        answer=answer,
        spans=[Span(*span) for span in spans],
        meta=meta,
    )


def said(text):
    return Prediction(text=text)


def replied(text, row=None):
    """What a run keeps of a reply."""
    return Said.of(Outcome(parse(text, row or ground("x"))))


def spans(*pairs, **more):
    return Prediction(spans=tuple((float(s), float(e)) for s, e in pairs), **more)


def look(tokens, frames=2, **more):
    """A look as a trace keeps it."""
    return {"window": [0.0, 1.0], "num_frames": frames, "visual_tokens": tokens, "score": None, "parent": None, **more}
