"""What the API's outputs are made of, as JSON schemas: Gradio's page of the API and its clients show them."""

from __future__ import annotations

from typing import Any

import gradio as gr

Schema = dict[str, Any]


def _object(description: str, **parts: tuple[str | Schema, str]) -> Schema:
    properties = {name: _described(kind, text) for name, (kind, text) in parts.items()}
    return {"type": "object", "description": description, "properties": properties}


def _described(kind: str | Schema, text: str) -> Schema:
    return {**({"type": kind} if isinstance(kind, str) else kind), "description": text}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


SPANS = _list(_list({"type": "number"}))
READ: dict[str, tuple[str | Schema, str]] = {
    "model": ("string", "who answered"),
    "warning": ("string", "why the answers mean nothing, where the model knows nothing of such videos; else null"),
    "sparse": ("string", "what was read of a long video, and what can be missed; else null"),
    "shared_prefix": ("boolean", "whether the video had been read before"),
    "read_seconds": ("number", "how long this call waited for that reading"),
}
ANSWER = _object(
    "The answer to one query",
    query=("string", "as it was asked"),
    spans=(SPANS, "[start, end] in seconds of the file, as said"),
    text=("string", "the raw answer"),
    rule=("string", "how it was read, or why it was not"),
    absent=("boolean", "whether the model says that it does not happen"),
    confidence=("number", "how sure the model is, from 0 to 1, or null"),
    confidence_means=("string", "of what it is so sure"),
    model=("string", "who answered"),
    warning=("string", "as of all answers"),
    sparse=("string", "as of all answers"),
    outside=("boolean", "whether a span leaves what was shown"),
    trace=("object", "where the method looked, and how often it asked"),
    seconds=("number", "from asking to answering"),
)
GROUND = _object(
    "When each query happens",
    answers=(_list(ANSWER), "one for each query, in their order"),
    video=("string", "the file's name"),
    duration=("number", "its length in seconds"),
    **READ,
)
SHARE = _object(
    "One option",
    letter=("string", "A, B, ..."),
    option=("string", "its text"),
    share=("number", "its probability among the options"),
)
ASK = _object(
    "Which option is right",
    question=("string", "as it was asked"),
    letter=("string", "of the option that the model named, or null"),
    option=("string", "its text, or null"),
    shares=(_list(SHARE), "one for each option, in their order"),
    text=("string", "the raw answer"),
    evidence=(SPANS, "when that is seen: [start, end] in seconds of the file"),
    seconds=("number", "from asking to answering"),
    **READ,
)


def described(label: str, schema: Schema) -> Any:
    """Return a JSON field with a schema of its own. (Of a derived class Gradio would write a stub beside this file.)"""
    made = gr.JSON(label=label)
    setattr(made, "api_info", lambda: schema)  # noqa: B010 - mypy lets no method be assigned
    return made
