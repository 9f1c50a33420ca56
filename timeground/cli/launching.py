"""Programs that run in one process or in several: started by torchrun, DeepSpeed, accelerate, or by themselves."""

from __future__ import annotations

import argparse
import atexit
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from timeground.errors import UserError
from timeground.quiet import quiet_process


def start_processes(module: str, arguments: Sequence[str], processes: int) -> None:
    """Run ``python -m module arguments`` in several processes on this machine, by torchrun.

    Raise UserError if one fails.
    """
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    if code := subprocess.run([*command, "-m", module, *arguments], check=False).returncode:
        raise UserError(f"{module} ended with status {code}; the message of the process that failed stands above")


def entry_point(
    prog: str,
    description: str | None,
    add_arguments: Callable[[argparse.ArgumentParser], None],
    run: Callable[[argparse.Namespace], int | None],
    argv: Sequence[str] | None = None,
) -> int:
    """Run the main of a program that launchers start: a user's mistake is one line on standard error and status 2."""
    quiet_process()
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument("--local_rank", "--local-rank", type=int, help=argparse.SUPPRESS)  # the deepspeed launcher's
    add_arguments(parser)
    try:
        return run(parser.parse_args(argv)) or 0
    except UserError as error:
        print(f"timeground: {error}", file=sys.stderr)
        return 2


def end_process(code: int) -> NoReturn:
    """End with all that Python has to close, but without what C++ libraries tear down after it.

    There threads that PyTorch's process groups leave behind at times abort a process whose work is done and written
    ("terminate called without an active exception"; PyTorch issue 190489), and the launcher takes the run for failed.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
