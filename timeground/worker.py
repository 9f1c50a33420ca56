"""A worker: a process with a pipe to it, that ends soon after the process that it works for, however that ended."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.context import BaseContext
from typing import Any

LOOK_EVERY_S = 0.5


class Worker:
    """A process of a context, and the pipe to it."""

    def __init__(self, context: BaseContext, serve: Callable[..., None], *args: Any) -> None:
        """Start ``serve(pipe, *args, parent)``. serve: begins with `begin_work`, and ends when its pipe does."""
        self.pipe, theirs = context.Pipe()
        self.process: Any = context.Process(target=serve, args=(theirs, *args, os.getpid()), daemon=True)  # type: ignore[attr-defined]
        self.process.start()
        theirs.close()  # so that the pipe ends when the process does

    def stop(self, at_once: bool = True) -> str:
        """End it and return what it died of, in words. at_once: kill it; else it may find its pipe closed first."""
        self.pipe.close()
        if at_once:
            self.process.kill()
        self.process.join(timeout=1.0)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        code: int = self.process.exitcode
        self.process.close()
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


def begin_work(parent: int) -> None:
    """Make this process a worker of another: one thread, deaf to Ctrl-C, which is for the parent."""
    import torch

    end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)


def end_with(process: int) -> None:
    """End this process once another is gone, even while a C library is at work here.

    A worker of a fork server has that as its parent, and a worker that is stuck in a decoder never reads its pipe; so
    a thread waits for the process itself. Nothing is cleaned up: what is half written names its process, and goes
    with the next start (see `timeground.files.whole_files`).
    """
    threading.Thread(target=_watch, args=(process,), name="watchdog", daemon=True).start()


def _watch(process: int) -> None:
    _wait_for_end(process)
    os._exit(1)


def _wait_for_end(process: int) -> None:
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return
    except (AttributeError, OSError):  # no Linux, or an old one
        while _is_there(process):
            time.sleep(LOOK_EVERY_S)
        return
    while not select.select([handle], [], [], 60)[0]:
        pass


def _is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True
