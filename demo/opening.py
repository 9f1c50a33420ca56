"""What happens when somebody takes a video: it is checked, shown with its strip, and an example is answered at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from timeground.errors import UserError

from . import pictures, views
from .handlers import FAILED, Handlers, log

FIELDS = ("queries", "question", "options", "arrow_query", "look_query")
"""The fields that an example fills."""
OPENED = ("choose", *FIELDS, "seen", "player", "status")
"""What a step of `Opening.open` changes, in its order."""


class Opening:
    """Opens videos for one page. An example is answered once a server; later visitors are shown that answer."""

    def __init__(self, handlers: Handlers) -> None:
        self.handlers = handlers
        self._answered: dict[int, tuple[views.Data, views.Data]] = {}

    async def open(self, choice: Any) -> AsyncIterator[tuple[Any, ...]]:
        """Yield the changes (`OPENED`) of taking a video. A refused one leaves the page with the one before."""
        try:
            async for step in self._open(choice):
                yield step
        except UserError as error:
            yield _change(
                choose={"refused": self.handlers.videos.without_paths(str(error))}, status=views.status("", "done")
            )
        except Exception:
            log.exception("a video cannot be opened")
            yield _change(choose={"refused": FAILED}, status=views.status("", "done"))

    async def open_found(self, found: Any) -> AsyncIterator[tuple[Any, ...]]:
        """Yield the changes of taking a video of the library's result, in which its query is asked again."""
        taken = found if isinstance(found, dict) else {}
        async for step in self.open({"library": taken.get("taken"), "query": taken.get("query")}):
            yield step

    async def _open(self, choice: Any) -> AsyncIterator[tuple[Any, ...]]:
        yield _change(status=views.status("Opening the video.", "busy"))
        video = await self.handlers.video_of(choice)
        strip = await self.handlers.service.aside(lambda: pictures.strip(video))
        shown = {"seen": {}, "player": views.player(video, strip)}
        if "library" in choice:
            query = str(choice.get("query") or "")
            yield _change(choose={**choice, "orig_name": video.name}, queries=query, **shown)
            async for player, status in self.handlers.find(choice, query):
                yield _change(player=player, status=status)
            return
        if "example" not in choice:
            yield _change(choose=choice, status=views.status(f"{video.name}: ask away."), **shown)
            return
        fields = dict(zip(FIELDS, self.handlers.example(choice).fields, strict=True))
        yield _change(choose=choice, status=views.status("Answering the example.", "busy"), **shown, **fields)
        async for player, status in self._answer(choice["example"], choice):
            yield _change(player=player, status=status)

    async def _answer(self, number: int, choice: Any) -> AsyncIterator[tuple[Any, Any]]:
        """Yield the steps of finding an example's queries; only the last where they were found before."""
        if number not in self._answered:
            step: tuple[Any, Any] = (gr.skip(), gr.skip())
            async for step in self.handlers.find(choice, self.handlers.examples[number].fields[0]):
                yield step
            if step[1]["kind"] != "done":
                return
            self._answered[number] = step
        player, _ = self._answered[number]
        yield player, views.status("An example, answered. Write a query of your own, or take your own video.")


def _change(**changed: Any) -> tuple[Any, ...]:
    return tuple(changed.get(name, gr.skip()) for name in OPENED)
