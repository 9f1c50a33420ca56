"""How local workers start: forked off a process that has imported what they need, so that a new one is there at once.

That process runs no Python threads and touches no GPU, which is what makes forking it safe.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing import forkserver
from multiprocessing.context import BaseContext


def context() -> BaseContext:
    """What workers are made by."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(["timeground.data_pipeline.imported_ahead"])
    return found


def import_ahead() -> None:
    """Start the process that imports, so that it does while the caller reads its recipe and its rows."""
    if context().get_start_method() == "forkserver":
        forkserver.ensure_running()
