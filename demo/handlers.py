"""What happens when somebody chooses a video or presses a button. Each handler yields (player, status) as it goes.

Every exception ends as a line on the page, and the page stays as it was.
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
from timeground.methods.grounder import GroundingAnswer

from . import pictures, views
from .results import downloads
from .service import Reading, Service, Timed, direction_score
from .settings import MAX_QUERIES, MAX_TEXT, MAX_TOTAL, DemoSettings
from .videos import Video, Videos

Result = TypeVar("Result")
Update = tuple[Any, Any]
Steps = AsyncIterator[Update]
UPDATE_EVERY_S = 0.5
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


def refuse_long(*texts: Any) -> None:
    """Raise UserError if what a request asks is too long in all."""
    if (length := sum(len(str(text or "")) for text in texts)) > MAX_TOTAL:
        raise UserError(f"{length} characters are too many; at most {MAX_TOTAL} in one request.")


def on_the_page(handler: Callable[..., Steps]) -> Callable[..., Steps]:
    """Turn a handler's exceptions into a status line."""

    @wraps(handler)
    async def told(self: Handlers, *args: Any) -> Steps:
        try:
            async for step in handler(self, *args):
                yield step
        except UserError as error:
            yield gr.skip(), views.status(self.videos.without_paths(str(error)), "error")
        except Exception:
            log.exception("a request failed")
            yield gr.skip(), views.status("This did not work; the server's log says why. Try again.", "error")

    return told


async def waiting(
    job: Awaitable[Result], text: str, done: list[Result], share: Callable[[], float | None] = lambda: None
) -> Steps:
    """Say what is being waited for, and which share of it there is, until it is done; the result goes into `done`."""
    task, began = asyncio.ensure_future(job), time.perf_counter()
    try:
        while not (await asyncio.wait({task}, timeout=UPDATE_EVERY_S))[0]:
            yield gr.skip(), views.status(f"{text} {time.perf_counter() - began:.0f} s so far.", "busy", share())
        done.append(task.result())
    finally:
        task.cancel()


class Opened(NamedTuple):
    """A video that the model has read, with its thumbnails."""

    video: Video
    strip: tuple[views.Data, ...]
    reading: Reading


class Handlers:
    """The handlers of one page."""

    def __init__(self, settings: DemoSettings, videos: Videos, service: Service) -> None:
        self.settings, self.videos, self.service = settings, videos, service

    async def video_of(self, file: Any) -> Video:
        """Return the video that a file field holds."""
        if not (isinstance(file, dict) and isinstance(file.get("path"), str)):
            raise UserError("Choose a video first: upload one, or take an example.")
        path, name = file["path"], str(file.get("orig_name") or "")[:200] or None
        return await self.service.aside(lambda: self.videos.admit(path, name))

    @on_the_page
    async def open(self, file: Any) -> Steps:
        """Show the video that was chosen, with its strip."""
        if file is None:
            yield {}, views.status("No video chosen.")
            return
        yield {}, views.status("Opening the video.", "busy")
        video = await self.video_of(file)
        strip = await self.service.aside(lambda: pictures.strip(video))
        yield views.player(video, [views.track(strip, [])]), views.status(f"{video.name}: ask away.")

    @on_the_page
    async def find(self, file: Any, text: str) -> Steps:
        """Ground every line of a text."""
        queries = lines_of(text, "what to look for, one query a line,")
        opened: list[Opened] = []
        async for step in self._opened(file, opened):
            yield step
        video, strip, reading = opened[0]
        answers: list[Timed[GroundingAnswer]] = []
        for number, query in enumerate(queries):
            asking = f"Query {number + 1} of {len(queries)}."
            yield gr.skip(), views.status(asking, "busy", number / len(queries))
            async for step in waiting(self.service.ground(reading.watched, query), asking, answers):
                yield step
            shown = views.track(strip, views.rows(answers, video.duration_s))
            yield views.player(video, [shown]), gr.skip()
        files = downloads(video, self.settings.model, answers)
        spent_s = sum(timed.seconds for timed in answers)
        said = f"{_read_text(reading)} {len(queries)} {'query' if len(queries) == 1 else 'queries'} in {spent_s:.2f} s."
        yield (
            views.player(video, [shown], files, views.file_word(self.settings.model)),
            views.status(_with_warning(said, reading)),
        )

    @on_the_page
    async def ask(self, file: Any, question: str, options_text: str) -> Steps:
        """Answer a question with options, and ground the answer."""
        refuse_long(question, options_text)
        (question,) = lines_of(" ".join(str(question or "").split()), "a question")
        options = lines_of(options_text, "the options, one a line,")
        opened: list[Opened] = []
        async for step in self._opened(file, opened):
            yield step
        video, strip, reading = opened[0]
        yield gr.skip(), views.status("Asking.", "busy")
        chosen = await self.service.ask(reading.watched, question, options)
        text = _with_warning(views.choice_text(chosen, options), reading)
        if chosen.answer.option is None:
            yield views.player(video, [views.track(strip, [])]), views.status(text)
            return
        yield gr.skip(), views.status(f"{text}. Looking for the evidence.", "busy")
        evidence = await self.service.ground(reading.watched, f"{question} {chosen.answer.option}")
        row = views.row(0, evidence, video.duration_s, f"evidence: {question} {chosen.answer.option}")
        files = downloads(video, self.settings.model, [evidence])
        yield (
            views.player(video, [views.track(strip, [row])], files, views.file_word(self.settings.model)),
            views.status(text),
        )

    @on_the_page
    async def arrow(self, file: Any, text: str) -> Steps:
        """Ground the same query forwards and backwards."""
        (query,) = lines_of(" ".join(str(text or "").split()), "what to look for")
        opened: list[Opened] = []
        async for step in self._opened(file, opened):
            yield step
        video, strip, reading = opened[0]
        both = [reading]
        async for step in waiting(self.service.read(video, backwards=True), "Reading it backwards.", both):
            yield step
        ways = [await self.service.ground(way.watched, query) for way in both]
        clip, length_s = reading.watched.clip, video.duration_s
        said = [timed.answer.readable_spans for timed in ways]
        forward, backward = (None if spans is None else [span.ordered() for span in spans] for spans in said)
        score = direction_score(forward, backward, clip.start_s, clip.end_s)
        tracks = [
            views.track(strip, [views.row(0, ways[0], length_s)], "The video as it is"),
            views.track(views.mirrored(strip, length_s), [views.row(1, ways[1], length_s)], "Played backwards", True),
        ]
        yield (
            views.player(video, tracks),
            views.status(_with_warning(views.direction_text(score, None in said), reading)),
        )

    async def look(self, file: Any, text: str) -> AsyncIterator[tuple[Any, Any, Any]]:
        """Yield what the model was given, and what it said: (seen, player, status)."""
        got: list[Any] = []
        async for player, status in self._look(file, text, got):
            yield (got[-1] if got else gr.skip()), player, status

    @on_the_page
    async def _look(self, file: Any, text: str, got: list[Any]) -> Steps:
        (query,) = lines_of(" ".join(str(text or "").split()), "a query")
        opened: list[Opened] = []
        async for step in self._opened(file, opened):
            yield step
        watched = opened[0].reading.watched
        profile = watched.model.profile
        seen = await self.service.aside(lambda: pictures.given_to_model(watched.clip, profile))
        timed = await self.service.ground(watched, query)
        question = ground_prompt(profile.prompts(), query)
        left_out = f" ({seen['left_out']} not shown here)" if seen["left_out"] else ""
        place = "before" if profile.text_first else "after"
        seen["facts"] = (
            f"{seen['num_frames']} frames of {seen['size']} pixels{left_out}; time is written as "
            f"'{seen['encoding']}'. The question stands {place} the video."
        )
        seen["answer"] = f"Question: {question}\n\nRaw answer: {timed.answer.text}\n\nRead by rule: {timed.answer.rule}"
        got.append(seen)
        yield (
            gr.skip(),
            views.status(
                _with_warning(
                    f"{_read_text(opened[0].reading)} Below is all that the model was given.", opened[0].reading
                )
            ),
        )

    def cancelled(self) -> views.Data:
        """Return the status after a cancel."""
        return views.status("Cancelled.")

    async def _opened(self, file: Any, opened: list[Opened]) -> Steps:
        """Read the video that a file field holds; it goes into `opened`."""
        video = await self.video_of(file)
        strip = await self.service.aside(lambda: pictures.strip(video))
        doing = f"Reading {video.duration_s:.0f} s of video." if self.service.is_loaded else "Loading the model."
        got: list[Reading] = []
        async for step in waiting(self.service.read(video), doing, got, partial(self.service.share_decoded, video)):
            yield step
        opened.append(Opened(video, strip, got[0]))


def _with_warning(text: str, reading: Reading) -> str:
    """Return a status line that also says where the model knows nothing of the video."""
    told = reading.watched.warning
    return text if told is None else f"{text} Warning: {told}."


def _read_text(reading: Reading) -> str:
    if reading.shared:
        return "The video was read before: its prefix is shared."
    return f"Video read and encoded in {reading.seconds:.2f} s."
