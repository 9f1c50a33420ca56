"""Do a video's rows, taken together, cover it, or do they crowd in one place?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from timeground.cli.recipes import Settings
from timeground.data.rows import Row
from timeground.spans import total_length_s

from ..item import Item
from .base import is_grounding


class Coverage(Settings):
    """When a video's rows are spread badly, and what becomes of it; 0 asks for nothing.

    min_covered: share of the video that the spans of its rows must cover. min_reach: share of it that must lie between
    the first start and the last end. action: ``keep`` only tells (``summary.json``), ``drop`` drops the video's rows,
    ``propose`` has the next stage `propose` of the recipe list more events.
    """

    min_covered: float = Field(0.0, ge=0, le=1)
    min_reach: float = Field(0.0, ge=0, le=1)
    action: Literal["keep", "drop", "propose"] = "keep"

    def apply(self, item: Item, stage: str) -> None:
        """Write ``covered`` and ``reach`` into the facts of a video, and act if they are too small."""
        rows = [row for row in item.rows if is_grounding(row)]
        if not rows:
            return
        covered, reach = spread(rows)
        item.facts["coverage"] = {"covered": round(covered, 4), "reach": round(reach, 4)}
        if covered < self.min_covered:
            why = f"the rows cover {covered:.0%} of the video; at least {self.min_covered:.0%} is wanted"
        elif reach < self.min_reach:
            why = f"the rows crowd in {reach:.0%} of the video; at least {self.min_reach:.0%} is wanted"
        else:
            return
        item.facts["coverage"]["flag"] = why
        if self.action == "drop":
            item.drop_all(stage, "coverage", why)
        elif self.action == "propose":
            item.facts["propose_more"] = True


def spread(rows: Sequence[Row]) -> tuple[float, float]:
    """Shares of the video: what the spans cover, and what lies between the first start and the last end."""
    spans, duration_s = [span for row in rows for span in row.spans], rows[0].duration
    if not spans:
        return 0.0, 0.0
    reach_s = max(span.end_s for span in spans) - min(span.start_s for span in spans)
    return min(1.0, total_length_s(spans) / duration_s), min(1.0, reach_s / duration_s)
