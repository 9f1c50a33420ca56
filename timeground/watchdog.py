"""Ends a worker soon after the process that it works for, however that ended."""

from __future__ import annotations

import os
import select
import threading
import time

LOOK_EVERY_S = 0.5


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
