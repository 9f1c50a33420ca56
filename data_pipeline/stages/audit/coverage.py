"""Measures how a video's rows, taken together, are spread over it, and acts where they crowd in one place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from timeground.cli.recipes import Settings
from timeground.data.rows import Row
from timeground.spans import total_length_s

from ...item import Item
from ...notes import CoverageFact
from ...stage import grounding


class Coverage(Settings):
    """When a video's rows are spread badly, and what becomes of it; 0 asks for nothing."""

    min_covered: float = Field(0.0, ge=0, le=1)
    """Share of the video that the spans of its rows must cover."""
    min_reach: float = Field(0.0, ge=0, le=1)
    """Share of the video that must lie between the first start and the last end."""
    action: Literal["keep", "drop", "propose"] = "keep"
    """``keep`` only lists the video (``summary.json``), ``drop`` drops its rows, ``propose`` has the next stage
    `propose` of the recipe list more events."""

    def apply(self, item: Item, stage: str) -> None:
        """Write ``covered`` and ``reach`` into the facts of a video, and act if they are too small."""
        rows = grounding(item.rows)
        if not rows:
            return
        covered, reach = spread(rows)
        coverage = CoverageFact(covered=round(covered, 4), reach=round(reach, 4))
        item.facts["coverage"] = coverage
        if covered < self.min_covered:
            why = f"the rows cover {covered:.0%} of the video; at least {self.min_covered:.0%} is wanted"
        elif reach < self.min_reach:
            why = f"the rows crowd in {reach:.0%} of the video; at least {self.min_reach:.0%} is wanted"
        else:
            return
        coverage["flag"] = why
        if self.action == "drop":
            item.drop_all(stage, "coverage", why)
        elif self.action == "propose":
            item.facts["propose_more"] = True


def spread(rows: Sequence[Row]) -> tuple[float, float]:
    """Return shares of the video: what the spans cover, and what lies between the first start and the last end."""
    spans, duration_s = [span for row in rows for span in row.spans], rows[0].duration
    if not spans:
        return 0.0, 0.0
    reach_s = max(span.end_s for span in spans) - min(span.start_s for span in spans)
    return min(1.0, total_length_s(spans) / duration_s), min(1.0, reach_s / duration_s)
