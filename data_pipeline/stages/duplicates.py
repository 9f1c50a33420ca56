"""Keeps one of several copies of a video, and no copy of a benchmark's video, whatever the files are called."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import Field

from timeground.errors import UserError
from timeground.media.decode import decode, probe

from ..item import Item
from ..stage import GlobalStage
from ..tools import Tools
from .probe import LOOK, fingerprint

Fingerprint = tuple[str, float, int]
"""Name, length in seconds, bits."""


class Duplicates(GlobalStage):
    """Compares the fingerprints that `probe` made."""

    needs = ("facts.fingerprint", "facts.duration_s")
    stage: Literal["duplicates"] = "duplicates"
    max_distance: float = Field(0.05, ge=0, le=0.5)
    """Share of the bits in which copies may differ."""
    max_gap_s: float = Field(0.25, ge=0)
    """By how much the lengths of copies may differ."""
    keep_out: str | None = None
    """A folder of a benchmark's videos, which are fingerprinted and kept out."""

    def files(self) -> list[Path]:
        """Return the folder of the benchmark's videos."""
        return [] if self.keep_out is None else [Path(self.keep_out)]

    def decide(self, items: Iterable[Item], tools: Tools) -> dict[str, tuple[str, str]]:
        """Return the videos that are copies of an earlier one, or of a benchmark's."""
        tests = self._tests()
        seen: list[Fingerprint] = []
        verdict = {}
        for item in items:
            if item.is_out:
                continue
            mine = (item.video, item.facts["duration_s"], int(item.facts["fingerprint"], 16))
            size = 4 * len(item.facts["fingerprint"])
            if twin := self._twin(mine, size, tests):
                verdict[item.video] = ("test", f"looks like the benchmark's video {twin}")
            elif twin := self._twin(mine, size, seen):
                verdict[item.video] = ("copy", f"looks like {twin}")
            else:
                seen.append(mine)
        return verdict

    def _twin(self, mine: Fingerprint, size: int, others: Iterable[Fingerprint]) -> str | None:
        """Return the first video that looks alike and is as long."""
        for name, duration_s, bits in others:
            alike = (bits ^ mine[2]).bit_count() <= self.max_distance * size
            if abs(duration_s - mine[1]) <= self.max_gap_s and alike:
                return name
        return None

    def _tests(self) -> list[Fingerprint]:
        """Return the fingerprints of the benchmark's videos. Raise UserError if there is no such folder."""
        if self.keep_out is None:
            return []
        folder = Path(self.keep_out)
        if not folder.is_dir():
            raise UserError(f"stage duplicates: keep_out {folder} is not a folder")
        prints = []
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            try:
                prints.append((path.name, probe(path).duration_s, int(fingerprint(decode(path, LOOK)), 16)))
            except UserError:
                continue  # not a video
        return prints
