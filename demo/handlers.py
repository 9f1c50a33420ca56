"""What happens when somebody presses a button. Each handler yields (player, status) as it goes.

Every exception ends as a line on the page, and the page stays as it was. A result is shown on the tab that it names.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial, wraps
from typing import Any, NamedTuple, TypeVar

import gradio as gr

from timeground.chat.prompts import ground_prompt
from timeground.errors import UserError
from timeground.find.library import FindResult
from timeground.methods.base import Look
from timeground.methods.grounder import GroundingAnswer

from . import pictures, shelf, views
from .examples import Example, shipped_examples
from .results import downloads
from .service import Reading, Service, Timed, direction_score
from .settings import MAX_QUERIES, MAX_TEXT, MAX_TOTAL, DemoSettings
from .videos import Video, Videos

Result = TypeVar("Result")
Update = tuple[Any, Any]
Steps = AsyncIterator[Update]
UPDATE_EVERY_S = 0.5
FAILED = "This did not work; the server's log says why. Try again."
log = logging.getLogger("timeground.demo")


def lines_of(text: str, what: str) -> list[str]:
    """Return the lines of a text field. Raise UserError if there are none, too many, or they are too long."""
    refuse_long(text)
    lines = [line.strip() for line in str(text or "").split("\n") if line.strip()]
    if not lines:
        raise UserError(f"Write {what} first.")
    if len(lines) > MAX_QUERIES:
        raise UserError(f"{len(lines)} lines are too many; at most {MAX_QUERIES} at a time.")
    if len(longest := max(lines, key=len)) > MAX_TEXT:
        raise UserError(f"A line of {len(longest)} characters is too long; at most {MAX_TEXT}.")
    return lines


def line_of(text: Any, what: str) -> str:
    """Return a text field as one line. Raise UserError if it is empty or too long."""
    return lines_of(" ".join(str(text or "").split()), what)[0]


def refuse_long(*texts: Any) -> None:
    """Raise UserError if what a request asks is too long in all."""
    if (length := sum(len(str(text or "")) for text in texts)) > MAX_TOTAL:
        raise UserError(f"{length} characters are too many; at most {MAX_TOTAL} in one request.")


def on_tab(tab: str) -> Callable[[Callable[..., Steps]], Callable[..., Steps]]:
    """Let a handler's exceptions end as a status line of its tab."""

    def wrap(handler: Callable[..., Steps]) -> Callable[..., Steps]:
        @wraps(handler)
        async def told(self: Handlers, *args: Any) -> Steps:
            try:
                async for step in handler(self, *args):
                    yield step
            except UserError as error:
                yield gr.skip(), views.status(self.videos.without_paths(str(error)), "error", tab=tab)
            except Exception:
                log.exception("a request failed")
                yield gr.skip(), views.status(FAILED, "error", tab=tab)

        return told

    return wrap


async def waiting(
    job: Awaitable[Result],
    text: str | Callable[[], str],
    done: list[Result],
    share: Callable[[], float | None] = lambda: None,
) -> Steps:
    """Say what is being waited for, and which share of it there is, until it is done; the result goes into `done`."""
    say = text if callable(text) else lambda: text
    task, began = asyncio.ensure_future(job), time.perf_counter()
    try:
        while not (await asyncio.wait({task}, timeout=UPDATE_EVERY_S))[0]:
            yield gr.skip(), views.status(f"{say()} {time.perf_counter() - began:.0f} s so far.", "busy", share())
        done.append(task.result())
    finally:
        task.cancel()


class Opened(NamedTuple):
    """A video that the model has read, with its thumbnails."""

    video: Video
    strip: tuple[views.Data, ...]
    reading: Reading

    def player(self, tab: str, tracks: list[views.Data], **result: Any) -> views.Data:
        """Return the player with what a tab found, and with what there is to know of the reading."""
        return views.player(self.video, self.strip, tab, tracks=tracks, notes=self.reading.notes, **result)


class Handlers:
    """The handlers of one page."""

    def __init__(self, settings: DemoSettings, videos: Videos, service: Service) -> None:
        self.settings, self.videos, self.service = settings, videos, service
        self.examples: list[Example] = shipped_examples()

    async def video_of(self, choice: Any) -> Video:
        """Return the video that is meant: an upload as Gradio names it, or ``{"example": number}``."""
        if isinstance(choice, dict) and "example" in choice:
            path, name = str(self.example(choice).path), None
        elif isinstance(choice, dict) and "library" in choice and self.service.shelf:
            path, name = str(self.service.shelf.path(choice["library"])), str(choice["library"])
        elif isinstance(choice, dict) and isinstance(choice.get("path"), str):
            path, name = choice["path"], str(choice.get("orig_name") or "")[:200] or None
        else:
            raise UserError("Choose a video first: upload one, or take an example.")
        return await self.service.aside(lambda: self.videos.admit(path, name))

    def example(self, choice: Any) -> Example:
        """Return the example that is meant. Raise UserError if there is none."""
        number = choice["example"]
        if not (isinstance(number, int) and 0 <= number < len(self.examples)):
            raise UserError("there is no such example")
        return self.examples[number]

    @on_tab("find")
    async def find(self, choice: Any, text: str) -> Steps:
        """Ground every line of a text."""
        queries = lines_of(text, "what to look for, one query a line,")
        opened: list[Opened] = []
        async for step in self._opened(choice, opened):
            yield step
        video, _, reading = opened[0]
        answers: list[Timed[GroundingAnswer]] = []
        for number, query in enumerate(queries):
            asking = f"Query {number + 1} of {len(queries)}."
            yield gr.skip(), views.status(asking, "busy", number / len(queries))
            async for step in self._grounded(reading, query, asking, answers):
                yield step
            yield opened[0].player("find", [views.track(views.rows(answers, video.duration_s))]), gr.skip()
        spent_s = sum(timed.seconds for timed in answers)
        said = f"{_read_text(reading)} {len(queries)} {'query' if len(queries) == 1 else 'queries'} in {spent_s:.2f} s."
        tracks = [views.track(views.rows(answers, video.duration_s))]
        yield opened[0].player("find", tracks, **self._files(video, answers)), views.status(said, tab="find")

    async def _grounded(
        self, reading: Reading, query: str, asking: str, answers: list[Timed[GroundingAnswer]]
    ) -> Steps:
        """Ground a query; the answer goes into `answers`. Of a search it says how many windows were looked at."""
        looks: list[Look] = []

        def told() -> str:
            return f"{asking} {len(looks)} windows looked at." if looks else asking

        async for step in waiting(self.service.ground(reading.watched, query, looks), told, answers):
            yield step

    @on_tab("ask")
    async def ask(self, choice: Any, question: str, options_text: str) -> Steps:
        """Answer a question with options, and ground the answer."""
        refuse_long(question, options_text)
        question = line_of(question, "a question")
        options = lines_of(options_text, "the options, one a line,")
        opened: list[Opened] = []
        async for step in self._opened(choice, opened):
            yield step
        video, _, reading = opened[0]
        yield gr.skip(), views.status("Asking.", "busy")
        chosen = await self.service.ask(reading.watched, question, options)
        shown, text = views.choice(chosen.answer, options), views.choice_text(chosen)
        if chosen.answer.option is None:
            yield opened[0].player("ask", [], choice=shown), views.status(text, tab="ask")
            return
        yield opened[0].player("ask", [], choice=shown), views.status(f"{text}. Looking for the evidence.", "busy")
        evidence = await self.service.ground(reading.watched, f"{question} {chosen.answer.option}")
        row = views.row(0, evidence, video.duration_s, f"Evidence: {question} {chosen.answer.option}")
        files = self._files(video, [evidence])
        yield opened[0].player("ask", [views.track([row])], choice=shown, **files), views.status(text, tab="ask")

    @on_tab("arrow")
    async def arrow(self, choice: Any, text: str) -> Steps:
        """Ground the same query forwards and backwards."""
        query = line_of(text, "what to look for")
        opened: list[Opened] = []
        async for step in self._opened(choice, opened):
            yield step
        video, _, reading = opened[0]
        both = [reading]
        async for step in waiting(self.service.read(video, backwards=True), "Reading it backwards.", both):
            yield step
        ways = [await self.service.ground(way.watched, query) for way in both]
        extent, length_s = reading.watched.extent, video.duration_s
        said = [timed.answer.readable_spans for timed in ways]
        forward, backward = (None if spans is None else [span.ordered() for span in spans] for spans in said)
        value = direction_score(forward, backward, extent.start_s, extent.end_s)
        tracks = [
            views.track([views.row(0, ways[0], length_s)], "The video as it is"),
            views.track([views.row(1, ways[1], length_s)], "Played backwards", True),
        ]
        score = {"value": value, "text": views.direction_text(value, None in said)}
        spent_s = sum(timed.seconds for timed in ways)
        done = views.status(f"{_read_text(reading)} Both ways asked in {spent_s:.2f} s.", tab="arrow")
        yield opened[0].player("arrow", tracks, score=score), done

    async def library(self, text: str) -> Steps:
        """Find a query in the library: cards, and the status."""
        async for step in self._library(text):
            yield step

    @on_tab("library")
    async def _library(self, text: str) -> Steps:
        query = line_of(text, "what to look for")
        at: list[tuple[float, str]] = [(0.0, "")]
        got: list[FindResult] = []

        def say() -> str:
            return f"Searching. {at[-1][1]}".strip()

        job = self.service.find(query, lambda share, name: at.append((share, name)))
        async for step in waiting(job, say, got, lambda: at[-1][0]):
            yield step
        found = await self.service.aside(lambda: shelf.cards(got[0]))
        notes = [got[0].warning] if got[0].warning else []
        yield {"query": query, "cards": found, "notes": notes}, views.status(shelf.told(got[0]), tab="library")

    async def look(self, choice: Any, text: str) -> AsyncIterator[tuple[Any, Any, Any]]:
        """Yield what the model was given, and what it said: (seen, player, status)."""
        got: list[Any] = []
        async for player, status in self._look(choice, text, got):
            yield (got[-1] if got else gr.skip()), player, status

    @on_tab("look")
    async def _look(self, choice: Any, text: str, got: list[Any]) -> Steps:
        query = line_of(text, "a query")
        opened: list[Opened] = []
        async for step in self._opened(choice, opened):
            yield step
        watched = opened[0].reading.watched
        profile = watched.model.profile
        seen = await self.service.aside(lambda: pictures.given_to_model(watched.clip, profile))
        timed = await self.service.ground(watched, query)
        left_out = f" ({seen['left_out']} not shown here)" if seen["left_out"] else ""
        place = "before" if profile.text_first else "after"
        seen["facts"] = (
            f"{seen['num_frames']} frames of {seen['size']} pixels{left_out}; time is written as "
            f"'{seen['encoding']}'. The question stands {place} the video."
        )
        seen["answer"] = [
            ["Question", ground_prompt(profile.prompts(), query)],
            ["Raw answer", timed.answer.text],
            ["Read by rule", timed.answer.rule],
        ]
        got.append(seen)
        said = f"{_read_text(opened[0].reading)} Under the timeline: all that the model was given."
        row = views.row(0, timed, opened[0].video.duration_s)
        yield opened[0].player("look", [views.track([row])]), views.status(said, tab="look")

    def cancelled(self) -> views.Data:
        """Return the status after a cancel."""
        return views.status("Cancelled.")

    def _files(self, video: Video, answers: list[Timed[GroundingAnswer]]) -> dict[str, Any]:
        """Return what can be saved of a result, with the model's name for the files' names."""
        model = self.settings.model
        return {"downloads": downloads(video, model, answers), "model": views.file_word(model)}

    async def _opened(self, choice: Any, opened: list[Opened]) -> Steps:
        """Read the video that was chosen; it goes into `opened`."""
        video = await self.video_of(choice)
        strip = await self.service.aside(lambda: pictures.strip(video))
        doing = f"Reading {video.duration_s:.0f} s of video." if self.service.is_loaded else "Loading the model."
        got: list[Reading] = []
        async for step in waiting(self.service.read(video), doing, got, partial(self.service.share_decoded, video)):
            yield step
        opened.append(Opened(video, strip, got[0]))


def _read_text(reading: Reading) -> str:
    if reading.shared:
        return "The video was read before: its prefix is shared."
    return f"Video read and encoded in {reading.seconds:.2f} s."
