"""The program as users start it: its own process, from a folder of theirs."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.runs import alone


class User:
    """Somebody who types commands in a folder that was empty."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder, self.environment = folder, {**alone(), "HF_HUB_OFFLINE": "1", **(environment or {})}

    def types(self, line: str) -> str:
        """Type a command that works, and return what it prints."""
        done = self.tries(line)
        assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done.stdout

    def errs(self, line: str) -> str:
        """Type a command that cannot work: status 2, no traceback. Returns its last line."""
        done = self.tries(line)
        assert done.returncode == 2 and "Traceback" not in done.stderr, f"{line}: {done.returncode}\n{done.stderr}"
        return done.stderr.splitlines()[-1]

    def tries(self, line: str) -> subprocess.CompletedProcess[str]:
        """Type a command, whatever comes of it."""
        program, *words = shlex.split(line)
        assert program == "timeground"
        return subprocess.run(
            [sys.executable, "-m", "timeground", *words],
            cwd=self.folder,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=1200,
        )

    def starts(self, line: str) -> subprocess.Popen[str]:
        """Type a command that goes on until it is stopped."""
        return subprocess.Popen(
            [sys.executable, "-m", "timeground", *shlex.split(line)[1:]],
            cwd=self.folder,
            env=dict(self.environment),
            stdout=subprocess.PIPE,
            text=True,
        )
