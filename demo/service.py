"""The work behind the page, without Gradio: videos are read once and kept, models answer one request at a time.

All calls of the model go through one thread, first come first served, one query each. So two users' queries
alternate, and nobody waits for all that another one asked. Reading videos happens beside it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from timeground.errors import UserError
from timeground.find.library import FindResult
from timeground.media import video as media
from timeground.methods.base import Look
from timeground.methods.grounder import ChoiceAnswer, Grounder, GroundingAnswer, Watched
from timeground.spans import Span, mirror_all, set_iou

from .settings import DemoSettings
from .shelf import Shelf
from .videos import Video

Result = TypeVar("Result")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Reading:
    """A video that the model has read."""

    watched: Watched
    seconds: float
    """What this request waited for it."""
    shared: bool
    """Whether it was there already."""

    @property
    def notes(self) -> list[str]:
        """Return what there is to know of any answer about this video."""
        return [note for note in (self.watched.warning, self.watched.sparse) if note]


@dataclass(frozen=True)
class Timed(Generic[Answer]):
    """An answer with its time."""

    answer: Answer
    seconds: float
    """From asking to answering, waiting for other users included."""


class Service:
    """One model, and the videos it has read last."""

    def __init__(self, settings: DemoSettings) -> None:
        self.settings = settings
        self._model_thread = ThreadPoolExecutor(1, "model")
        self._readers = ThreadPoolExecutor(2, "reader")
        self._grounder: Grounder | None = None
        self._kept: OrderedDict[tuple[str, bool], Watched] = OrderedDict()
        self._under_way: dict[tuple[str, bool], asyncio.Task[Watched]] = {}
        self._decoded: dict[str, float] = {}
        self.shelf = Shelf(settings.library) if settings.library else None

    def close(self) -> None:
        """Let the threads end; what waits is dropped."""
        self._model_thread.shutdown(wait=False, cancel_futures=True)
        self._readers.shutdown(wait=False, cancel_futures=True)

    def load_ahead(self) -> None:
        """Start loading the model now. If that fails, whoever asks gets the reason, and it is tried again."""
        self._model_thread.submit(self._load)

    @property
    def is_loaded(self) -> bool:
        """Return whether the model is there."""
        return self._grounder is not None

    async def aside(self, work: Callable[[], Result]) -> Result:
        """Do something that reads a video beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, work)

    async def grounder(self) -> Grounder:
        """Return the model, loaded when it is first needed."""
        return await self._on_model(self._load) if self._grounder is None else self._grounder

    async def read(self, video: Video, backwards: bool = False) -> Reading:
        """Read and encode a video, or take what is kept. Users who ask for the same at once share the work."""
        began, key = time.perf_counter(), (video.id, backwards)
        watched = self._kept.get(key)
        if watched is not None:
            self._kept.move_to_end(key)
            return Reading(watched, time.perf_counter() - began, True)
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(self._read_anew(video, backwards))
            task.add_done_callback(lambda done: self._keep(key, done))
        watched = await asyncio.shield(task)  # who cancels does not spoil it for the others
        return Reading(watched, time.perf_counter() - began, False)

    def share_decoded(self, video: Video) -> float | None:
        """Return how much of a video that is being read is decoded, from 0 to 1; None before and after."""
        return self._decoded.get(video.id)

    async def ground(self, watched: Watched, query: str, looks: list[Look] | None = None) -> Timed[GroundingAnswer]:
        """Return when it happens. looks: gets each look of a search as it is taken; who goes away stops it."""
        began, seen, stopped = time.perf_counter(), [] if looks is None else looks, threading.Event()

        def work() -> GroundingAnswer:
            def note(look: Look) -> None:
                if stopped.is_set():
                    raise UserError("The search was stopped.")
                seen.append(look)

            watched.method.on_look = note
            (answer,) = watched.ground([query])
            return answer

        try:
            answer = await self._on_model(work)
        finally:
            stopped.set()
        return Timed(answer, time.perf_counter() - began)

    async def find(self, query: str, on_share: Callable[[float, str], None]) -> FindResult:
        """Return where in the library it happens. on_share: told how far indexing is, and looking."""
        stopped = threading.Event()

        def tell(share: float, name: str) -> None:
            if stopped.is_set():
                raise UserError("The search was stopped.")
            on_share(share, name)

        def work() -> FindResult:
            assert self.shelf is not None
            return self.shelf.find(self._load(), query, tell)

        try:
            return await self._on_model(work)
        finally:
            stopped.set()

    async def ask(self, watched: Watched, question: str, options: list[str]) -> Timed[ChoiceAnswer]:
        """Return which option is right."""
        began = time.perf_counter()
        answer = await self._on_model(lambda: watched.ask(question, options))
        return Timed(answer, time.perf_counter() - began)

    async def _on_model(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._model_thread, work)

    async def _read_anew(self, video: Video, backwards: bool) -> Watched:
        grounder = await self.grounder()
        if backwards:
            opened = media.Video.of((await self.read(video)).watched.clip.reversed())
        else:
            opened = await self.aside(lambda: self._decoded_once(grounder, video))
        return await self._on_model(lambda: grounder.watch(opened))

    def _decoded_once(self, grounder: Grounder, video: Video) -> media.Video:
        """Return the file with its frames, so that they need not be read on the model's thread.

        A method that looks at parts reads these itself.
        """
        opened = media.Video(video.path)
        if not grounder.method.looks_once:
            return opened
        try:
            grounder.read(opened, on_progress=partial(self._decoded.__setitem__, video.id))
        finally:
            self._decoded.pop(video.id, None)
        return opened

    def _keep(self, key: tuple[str, bool], task: asyncio.Task[Watched]) -> None:
        self._under_way.pop(key, None)
        if task.cancelled() or task.exception() is not None:
            return
        self._kept[key] = task.result()
        room_bytes = self.settings.keep_gb * 1e9
        while len(self._kept) > 1 and sum(map(size_bytes, self._kept.values())) > room_bytes:
            self._kept.popitem(last=False)

    def _load(self) -> Grounder:
        if self._grounder is None:
            from transformers.utils import logging

            logging.set_verbosity_error()  # type: ignore[no-untyped-call]
            logging.disable_progress_bar()  # type: ignore[no-untyped-call]
            given = self.settings
            overrides = {} if given.fps is None else {"fps": given.fps}
            self._grounder = Grounder.from_pretrained(
                given.model,
                method=given.method,
                profile=given.profile,
                overrides=overrides,
                device=given.device,
                trust_remote_code=given.trust_remote_code,
            )
        return self._grounder


def size_bytes(watched: Watched) -> int:
    """Return what a video that is kept costs: its frames and, for a local model, its keys and values."""
    return watched.method.size_bytes


def direction_score(
    forward: list[Span] | None, backward: list[Span] | None, start_s: float, end_s: float
) -> float | None:
    """Return 1 - IoU of the forward answer with the mirrored backward answer; None where nothing is found forward.

    It is None also where one of the answers could not be read (None): that says nothing about the moment.

    ArrowGEV's measure (`timeground.metrics.direction`) with the forward answer in the place of the truth, which a
    user's video does not have: 0 if the reversed video gives the same moment, 1 if it gives quite another or none.
    """
    if not forward or backward is None:
        return None
    return 1.0 - set_iou(mirror_all(backward, start_s, end_s), forward)
