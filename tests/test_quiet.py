"""Nothing of other libraries is on the screen, and a caller's own settings of them are as before."""

from __future__ import annotations

import logging
import subprocess
import sys
import warnings

from timeground.quiet import quietly


def test_what_a_caller_had_set_comes_back():
    from transformers.utils import logging as of_transformers

    before = of_transformers.get_verbosity(), of_transformers.is_progress_bar_enabled(), logging.root.manager.disable
    with quietly():
        warnings.warn("not shown", UserWarning, stacklevel=1)
        assert not of_transformers.is_progress_bar_enabled()
    assert before == (
        of_transformers.get_verbosity(), of_transformers.is_progress_bar_enabled(), logging.root.manager.disable
    )  # fmt: skip


def test_blocks_of_several_threads_end_in_any_order():
    """Whichever ends last puts back what was set before the first."""
    first, second = quietly(), quietly()
    before = logging.root.manager.disable
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert logging.root.manager.disable == logging.WARNING
    second.__exit__(None, None, None)
    assert logging.root.manager.disable == before


def test_a_program_that_uses_the_library_sees_no_bar_of_another():
    script = "from timeground import Grounder; Grounder.from_pretrained()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == "" and done.stderr == "", done.stderr
