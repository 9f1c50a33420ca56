"""Keeps what other libraries say off the screen: their bars, advice and warnings. What matters is said by ours."""

from __future__ import annotations

import logging as python_logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quietly() -> Iterator[None]:
    """Keep transformers, the Hub's library and DeepSpeed quiet while the block lasts, in a caller's program too."""
    from transformers.utils import logging

    verbosity, has_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    level = python_logging.root.manager.disable
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
