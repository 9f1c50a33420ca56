"""Keeps one of several copies of a video, and no copy of a benchmark's video, whatever the files are called."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import Field

from timeground.errors import UserError
from timeground.media.decode import decode, probe

from ..item import Item
from ..tools import Tools
from .base import GlobalStage, require
from .probe import LOOK, fingerprint

Print = tuple[str, float, int]
"""Name, length in seconds, bits."""


class Duplicates(GlobalStage):
    """Compares the fingerprints that `probe` made.

    max_distance: share of bits that may differ. max_gap_s: by how much lengths may differ. keep_out: a folder of a
    benchmark's videos, which are fingerprinted and kept out.
    """

    stage: Literal["duplicates"] = "duplicates"
    max_distance: float = Field(0.05, ge=0, le=0.5)
    max_gap_s: float = Field(0.25, ge=0)
    keep_out: str | None = None

    def files(self) -> list[Path]:
        """The folder of the benchmark's videos."""
        return [] if self.keep_out is None else [Path(self.keep_out)]

    def decide(self, items: Iterable[Item], tools: Tools) -> dict[str, tuple[str, str]]:
        """Videos that are copies of an earlier one, or of a benchmark's."""
        tests = self._tests()
        seen: list[Print] = []
        verdict = {}
        for item in items:
            if item.is_out:
                continue
            require("fingerprint" in item.facts, "stage duplicates needs stage probe with fingerprint: true before it")
            mine = (item.video, item.facts["duration_s"], int(item.facts["fingerprint"], 16))
            size = 4 * len(item.facts["fingerprint"])
            if twin := self._twin(mine, size, tests):
                verdict[item.video] = ("test", f"looks like the benchmark's video {twin}")
            elif twin := self._twin(mine, size, seen):
                verdict[item.video] = ("copy", f"looks like {twin}")
            else:
                seen.append(mine)
        return verdict

    def _twin(self, mine: Print, size: int, others: Iterable[Print]) -> str | None:
        """The first video that looks alike and is as long."""
        for name, duration_s, bits in others:
            alike = (bits ^ mine[2]).bit_count() <= self.max_distance * size
            if abs(duration_s - mine[1]) <= self.max_gap_s and alike:
                return name
        return None

    def _tests(self) -> list[Print]:
        if self.keep_out is None:
            return []
        folder = Path(self.keep_out)
        require(folder.is_dir(), f"stage duplicates: keep_out {folder} is not a folder")
        found = []
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            try:
                found.append((path.name, probe(path).duration_s, int(fingerprint(decode(path, LOOK)), 16)))
            except UserError:
                continue  # not a video
        return found
