"""Decoding many videos in worker processes, so that no file can stop or bring down the whole run.

Decoders are large C libraries fed with files from anywhere: now and then one hangs for good or ends its
process (decord is known for both). So each file is read in another process, with a time limit; a worker that
hangs or dies is replaced, its file is reported as a VideoError, and the rest goes on.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from multiprocessing import connection
from typing import TYPE_CHECKING

from timeground.errors import UserError, VideoError
from timeground.media.clip import Clip
from timeground.media.decode import DecodeRequest, decode_request
from timeground.media.shared_clip import receive_clip, send_clip
from timeground.worker import Worker, begin_work

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

Reader = Callable[[DecodeRequest], Clip]
Result = Clip | VideoError

STARTUP_LIMIT_S = 120.0  # importing torch from a cold network disk can take a minute
STARTUP_TRIES = 3
PRELOADED = ["timeground.media.crew", "av"]


def decode_many(
    requests: Iterable[DecodeRequest],
    num_workers: int | None = None,
    timeout_s: float = 300.0,
    *,
    reader: Reader = decode_request,
    recycle_after: int = 256,
) -> Iterator[tuple[DecodeRequest, Result]]:
    """Read videos in worker processes; gives each request with its clip or its error, in the order given.

    num_workers: processes, by default one per core. Each works ahead by at most two videos.
    timeout_s: limit for one video.
    reader: what a worker does with a request; a function that can be imported by name.
    recycle_after: videos after which a worker is replaced by a fresh one, in case the decoder leaks memory.

    A window outside its video, too, is reported as that request's VideoError. As with any use of Python's
    multiprocessing, a script must call this below ``if __name__ == "__main__":``. Closing the iterator ends
    the workers.

    Raise RuntimeError if the workers cannot even start.
    """
    cores = os.cpu_count() or 1
    crew = _Crew(num_workers or cores, reader, timeout_s, recycle_after)
    num_threads = max(1, cores // crew.size)
    waiting = enumerate(requests)
    given: dict[int, DecodeRequest] = {}
    results: dict[int, Result] = {}

    def hand_out() -> None:
        room = min(crew.size - crew.num_busy, 2 * crew.size - len(given))
        for number, request in itertools.islice(waiting, max(0, room)):
            given[number] = request
            crew.assign(number, replace(request, num_threads=request.num_threads or num_threads))

    try:
        for wanted in itertools.count():
            hand_out()
            while wanted not in results:
                if not crew.num_busy:
                    return
                results.update(crew.collect())
                hand_out()
            yield given.pop(wanted), results.pop(wanted)
    finally:
        crew.close()


class _Reader(Worker):
    """A worker that reads videos."""

    def __init__(self, context: BaseContext, reader: Reader) -> None:
        super().__init__(context, _serve, reader)
        self.job: tuple[int, DecodeRequest] | None = None
        self.is_reading = False
        self.deadline_s = 0.0
        self.num_done = 0

    def assign(self, number: int, request: DecodeRequest) -> None:
        """Give it a video to read; the time limit only runs from when the process says that it begins."""
        self.job, self.is_reading = (number, request), False
        self.deadline_s = time.monotonic() + STARTUP_LIMIT_S
        with contextlib.suppress(OSError):  # it is dead: collecting will find out
            self.pipe.send(request)

    def current(self) -> tuple[int, DecodeRequest]:
        """Return the video it was last given."""
        if self.job is None:
            raise RuntimeError("this worker has nothing to do")
        return self.job


class _Crew:
    """The workers, and which of them reads what."""

    def __init__(self, size: int, reader: Reader, timeout_s: float, recycle_after: int) -> None:
        methods = multiprocessing.get_all_start_methods()
        self.context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
        if "forkserver" in methods:
            self.context.set_forkserver_preload(PRELOADED)
        self.size, self.reader = size, reader
        self.timeout_s, self.recycle_after = timeout_s, recycle_after
        self.idle: list[_Reader] = []
        self.busy: list[_Reader] = []
        self.num_failed_starts = 0

    @property
    def num_busy(self) -> int:
        """Return the number of workers that have a video to read."""
        return len(self.busy)

    def assign(self, number: int, request: DecodeRequest) -> None:
        """Give a video to an idle worker, or to a new one."""
        worker = self.idle.pop() if self.idle else _Reader(self.context, self.reader)
        worker.assign(number, request)
        self.busy.append(worker)

    def collect(self) -> dict[int, Result]:
        """Wait until something happens; gives the results that came, by number."""
        patience_s = min(worker.deadline_s for worker in self.busy) - time.monotonic()
        ready = connection.wait([worker.pipe for worker in self.busy], max(0.0, patience_s))
        now = time.monotonic()
        results: dict[int, Result] = {}
        for worker in list(self.busy):
            number, _ = worker.current()
            result = None
            if worker.pipe in ready:
                result = self._hear(worker)
            elif now >= worker.deadline_s:
                result = self._give_up(worker)
            if result is not None:
                results[number] = result
        return results

    def close(self) -> None:
        """End all workers."""
        for worker in self.idle + self.busy:
            worker.stop(worker.is_reading)
        self.idle, self.busy = [], []

    def _hear(self, worker: _Reader) -> Result | None:
        """Take a message of a worker: that it begins (None), a clip, an error, or that it is dead."""
        try:
            message = json.loads(worker.pipe.recv_bytes())
            if message["kind"] == "begins":
                worker.is_reading, worker.deadline_s = True, time.monotonic() + self.timeout_s
                return None
            result: Result = (
                VideoError(message["text"]) if message["kind"] == "error" else receive_clip(worker.pipe, message)
            )
        except (EOFError, OSError, RuntimeError):
            return self._bury(worker)
        self.busy.remove(worker)
        worker.is_reading = False
        worker.num_done += 1
        if worker.num_done < self.recycle_after:
            self.idle.append(worker)
        else:
            worker.stop(worker.is_reading)
        return result

    def _give_up(self, worker: _Reader) -> Result:
        """End a worker that takes too long."""
        self.busy.remove(worker)
        worker.stop(worker.is_reading)
        _, request = worker.current()
        if not worker.is_reading:
            raise RuntimeError(f"a video worker did not start within {STARTUP_LIMIT_S:.0f} s")
        return VideoError(
            f"{request.path}: reading it took longer than {self.timeout_s:g} s and was stopped; "
            "re-encode the file, leave it out, or raise timeout_s"
        )

    def _bury(self, worker: _Reader) -> Result | None:
        """Note what a dead worker died of; one that died before it began is started again."""
        self.busy.remove(worker)
        cause = worker.stop(worker.is_reading)
        number, request = worker.current()
        if worker.is_reading:
            return VideoError(
                f"{request.path}: its reader crashed ({cause}); re-encode the file or leave it "
                "out, or try another reader; if many files do this, memory may be short"
            )
        self.num_failed_starts += 1
        if self.num_failed_starts >= STARTUP_TRIES:
            raise RuntimeError(
                f"video workers die at their start ({cause}); a script that uses decode_many must "
                'call it below `if __name__ == "__main__":`'
            )
        self.assign(number, request)
        return None


def _serve(pipe: connection.Connection, reader: Reader, parent: int) -> None:
    """Read what is asked for until the pipe is closed, or the parent is gone."""
    begin_work(parent)
    while True:
        try:
            request: DecodeRequest = pipe.recv()
            pipe.send_bytes(b'{"kind": "begins"}')
            result = _read(request, reader)
            if isinstance(result, Clip):
                send_clip(pipe, result)
            else:
                pipe.send_bytes(json.dumps({"kind": "error", "text": str(result)}).encode())
        except (EOFError, OSError):
            return


def _read(request: DecodeRequest, reader: Reader) -> Result:
    """Read one video; whatever goes wrong is that video's error."""
    try:
        return reader(request)
    except VideoError as error:
        return error
    except UserError as error:
        return VideoError(str(error))
    except Exception as error:
        return VideoError(f"{request.path}: reading it failed unexpectedly ({type(error).__name__}: {error})")
