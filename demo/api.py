"""The page's functions for programs: ``/ground`` and ``/ask`` through ``gradio_client`` (see docs/demo.md)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import gradio as gr

from timeground.errors import UserError

from .handlers import Handlers, lines_of, log
from .results import as_data
from .service import Reading
from .videos import Video


def _told(function: Callable[..., Any]) -> Callable[..., Any]:
    """A user's mistake reaches the caller as Gradio's error."""

    @wraps(function)
    async def told(*args: Any) -> Any:
        try:
            return await function(*args)
        except UserError as error:
            raise gr.Error(str(error), print_exception=False) from None
        except Exception:
            log.exception("an API request failed")
            raise gr.Error("this did not work; the server's log says why", print_exception=False) from None

    return told


class Api:
    """The API of one server."""

    def __init__(self, handlers: Handlers) -> None:
        self.handlers, self.service = handlers, handlers.service

    def ground(self) -> Callable[..., Any]:
        """The function behind ``/ground``."""

        @_told
        async def ground(video: Any, queries: Any) -> dict[str, Any]:
            """When does it happen? queries: a list of texts, or one text with a query a line."""
            lines = lines_of("\n".join(map(str, queries)) if isinstance(queries, list) else queries, "queries")
            read, reading = await self._read(video)
            answers = [await self.service.ground(reading.watched, query) for query in lines]
            model = self.handlers.settings.model
            return {**as_data(read, model, answers), **_cost(reading)}

        return ground

    def ask(self) -> Callable[..., Any]:
        """The function behind ``/ask``."""

        @_told
        async def ask(video: Any, question: Any, options: Any) -> dict[str, Any]:
            """Which option is right? options: a list of texts, or one text with an option a line."""
            (asked,) = lines_of(" ".join(str(question or "").split()), "a question")
            choices = lines_of("\n".join(map(str, options)) if isinstance(options, list) else options, "options")
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
                "shares": dict(zip(choices, answer.shares, strict=True)),
                "text": answer.text,
                "evidence": evidence,
                "seconds": round(chosen.seconds, 4),
                "model": answer.model,
                "warning": answer.warning,
                **_cost(reading),
            }

        return ask

    async def _read(self, file: Any) -> tuple[Video, Reading]:
        video = await self.handlers.video_of(file)
        return video, await self.service.read(video)


def _cost(reading: Reading) -> dict[str, Any]:
    return {"read_seconds": round(reading.seconds, 4), "shared_prefix": reading.shared}
