"""Keeps what other libraries say off the screen: their bars, advice and warnings. What matters is said by ours."""

from __future__ import annotations

import logging as python_logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_lock = threading.Lock()
_inside: list[ExitStack] = []
"""What the first of the blocks that last right now has to put back; threads may open models side by side."""
_depth = 0


@contextmanager
def quietly() -> Iterator[None]:
    """Keep transformers, the Hub's library and DeepSpeed quiet while the block lasts, in a caller's program too.

    These settings are the process's: the first block that begins changes them, the last one that ends puts them back.
    """
    global _depth
    with _lock:
        if not _depth:
            _inside.append(ExitStack())
            _inside[0].enter_context(_all_quiet())
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if not _depth:
                _inside.pop().close()


@contextmanager
def _all_quiet() -> Iterator[None]:
    from transformers.utils import logging

    verbosity, has_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    level = python_logging.root.manager.disable
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    python_logging.disable(python_logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        python_logging.disable(level)
        logging.set_verbosity(verbosity)
        if has_bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def quiet_process() -> None:
    """Keep warnings of libraries off the screen of a command and of the processes that it starts.

    Who asks Python for warnings (``-W``, PYTHONWARNINGS) gets them.
    """
    if sys.warnoptions or "PYTHONWARNINGS" in os.environ:
        return
    warnings.simplefilter("ignore")
    os.environ["PYTHONWARNINGS"] = "ignore"
    os.environ.setdefault("TQDM_DISABLE", "1")
