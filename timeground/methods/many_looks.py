"""What methods have in common that look at several parts of a video: the part that an answer stands on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from timeground.data.rows import Row
from timeground.methods.base import Method
from timeground.methods.direct import Direct
from timeground.spans import Span


class ManyLooks(Method):
    """A method that notes, for each row, which window spoke for its answer most."""

    looks_once = False

    def __init__(self, *given: Any, **more: Any) -> None:
        """Take a video, or only a window of it, as every method does."""
        super().__init__(*given, **more)
        self.best_window: dict[str, Span] = {}

    def scores(self, rows: Sequence[Row], options: Sequence[Sequence[str]]) -> list[list[float]]:
        """Return the log-probability of each of a row's options, where the window is shown that speaks for it most."""
        if missing := [row for row in rows if row.id not in self.best_window]:
            self.answers(missing)
        found = []
        for row, texts in zip(rows, options, strict=True):
            with Direct(self.model, self.video, self.best_window[row.id], self.prompts, self.sampling) as look:
                found += look.scores([row], [texts])
        return found
