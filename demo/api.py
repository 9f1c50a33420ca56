"""The page's functions for programs: ``/ground`` and ``/ask`` through ``gradio_client`` (see docs/demo.md)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import gradio as gr

from timeground.errors import UserError

from .api_schema import ASK, GROUND, described
from .handlers import Handlers, lines_of, log, refuse_long
from .results import as_data
from .service import Reading
from .settings import MAX_QUERIES
from .videos import Video, Videos


def _told(videos: Videos, function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a user's mistake reach the caller as Gradio's error."""

    @wraps(function)
    async def told(*args: Any) -> Any:
        try:
            return await function(*args)
        except UserError as error:
            raise gr.Error(videos.without_paths(str(error)), print_exception=False) from None
        except Exception:
            log.exception("an API request failed")
            raise gr.Error("this did not work; the server's log says why", print_exception=False) from None

    return told


class Api:
    """The API of one server."""

    def __init__(self, handlers: Handlers) -> None:
        self.handlers, self.service = handlers, handlers.service

    def ground(self) -> Callable[..., Any]:
        """Return the function behind ``/ground``."""

        async def ground(video: Any, queries: Any) -> dict[str, Any]:
            """Return when it happens: for each query its spans, in seconds of the file.

            Parameters:
                video: The file (handle_file in gradio_client).
                queries: A list of texts, or one text with a query a line.
            Returns:
                answers: An object; its parts are described in its type.
            """
            lines = lines_of(_text(queries, "queries"), "queries")
            read, reading = await self._read(video)
            answers = [await self.service.ground(reading.watched, query) for query in lines]
            model = self.handlers.settings.model
            return {**as_data(read, model, answers), **_cost(reading)}

        return _told(self.handlers.videos, ground)

    def ask(self) -> Callable[..., Any]:
        """Return the function behind ``/ask``."""

        async def ask(video: Any, question: Any, options: Any) -> dict[str, Any]:
            """Return which option is right, how the probability is spread, and when that is seen.

            Parameters:
                video: The file (handle_file in gradio_client).
                question: One line.
                options: A list of texts, or one text with an option a line.
            Returns:
                answer: An object; its parts are described in its type.
            """
            given = _text(options, "options")
            refuse_long(question, given)
            (asked,) = lines_of(" ".join(str(question or "").split()), "a question")
            choices = lines_of(given, "options")
            _, reading = await self._read(video)
            chosen = await self.service.ask(reading.watched, asked, choices)
            answer = chosen.answer
            evidence = []
            if answer.option is not None:
                found = await self.service.ground(reading.watched, f"{asked} {answer.option}")
                evidence = [span.to_list() for span in found.answer.spans]
            return {
                "question": asked,
                "letter": answer.letter,
                "option": answer.option,
                "shares": _shares(choices, answer.shares),
                "text": answer.text,
                "evidence": evidence,
                "seconds": round(chosen.seconds, 4),
                "model": answer.model,
                "warning": answer.warning,
                **_cost(reading),
            }

        return _told(self.handlers.videos, ask)

    async def _read(self, file: Any) -> tuple[Video, Reading]:
        video = await self.handlers.video_of(file)
        return video, await self.service.read(video)


def _text(given: Any, what: str) -> str:
    """Return what a caller asks, a line each; it is looked at before anything is done with it."""
    if not isinstance(given, list):
        return str(given or "")
    if len(given) > MAX_QUERIES:
        raise UserError(f"{len(given)} {what} are too many; at most {MAX_QUERIES} at a time.")
    if not all(isinstance(text, str) for text in given):
        raise UserError(f"{what}: give a list of texts")
    refuse_long(*given)
    return "\n".join(" ".join(text.split()) for text in given)


def _shares(options: Sequence[str], shares: Sequence[float]) -> list[dict[str, Any]]:
    """Return each option with its probability, in order; options of the same text keep their own."""
    letters = map(chr, range(ord("A"), ord("Z") + 1))
    return [
        {"letter": letter, "option": option, "share": share}
        for letter, option, share in zip(letters, options, shares, strict=False)
    ]


def _cost(reading: Reading) -> dict[str, Any]:
    sparse = reading.watched.sparse
    return {"read_seconds": round(reading.seconds, 4), "shared_prefix": reading.shared, "sparse": sparse}


def add_endpoints(handlers: Handlers) -> None:
    """Add the two public endpoints, on fields that are not shown."""
    api = Api(handlers)
    texts = {"type": "array", "items": {"type": "string"}, "additional_description": "or one text with a line each"}
    with gr.Row(visible=False):
        video, question, call = gr.File(label="video"), gr.Textbox(label="question"), gr.Button()
        queries, options = described("queries", texts), described("options", texts)
        answers, answer = described("answers", GROUND), described("answer", ASK)
        call.click(api.ground(), [video, queries], answers, api_name="ground", preprocess=False)
        call.click(api.ask(), [video, question, options], answer, api_name="ask", preprocess=False)
