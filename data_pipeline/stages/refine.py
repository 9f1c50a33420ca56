"""Re-reads the seconds around each boundary at a higher frame rate, and moves it to where the model now sees it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from timeground.data.rows import Row
from timeground.scoring import LENIENT, counted_spans
from timeground.spans import Span

from ..asking import StageModel
from ..item import Item
from ..notes import note
from ..stage import VideoStage, grounding, to_pairs
from ..tools import Tools


class Refine(VideoStage):
    """Moves boundaries as TimeLens2's last step does, then joins spans that lie close together."""

    needs = ("rows",)
    stage: Literal["refine"] = "refine"
    model: str = "tiny"
    around_s: float = Field(3.0, gt=0)
    """Seconds to each side of a boundary."""
    fps: float = Field(4.0, gt=0)
    """Frames a second to look at there."""
    join_s: float = Field(1.0, ge=0)
    """Largest gap that is closed."""
    only: Literal["changed", "all"] = "changed"
    """Rows whose spans the pipeline set itself, or all."""

    def models(self) -> list[str]:
        """Return the model that looks."""
        return [self.model]

    def run(self, item: Item, tools: Tools) -> None:
        """Look again at the boundaries of each row."""
        for row in grounding(item.rows):
            if not row.spans:
                continue
            if self.only == "changed" and not any("spans" in str(entry.get("what")) for entry in row.history):
                continue
            new = joined([self._closer(row, span, tools) for span in row.spans], self.join_s)
            if new != row.spans:
                note(row, self.stage, "spans", f"boundaries re-read at {self.fps:g} fps; were {to_pairs(row.spans)}")
                row.spans = new

    def _closer(self, row: Row, span: Span, tools: Tools) -> Span:
        """Return the span with each end moved to where it is seen, if it is seen."""
        model = tools.model(self.model).with_profile(fps=self.fps)
        start_s = self._edge(row, span.start_s, "start_s", model, tools)
        end_s = self._edge(row, span.end_s, "end_s", model, tools)
        return Span(start_s, end_s) if start_s < end_s else span

    def _edge(self, row: Row, time_s: float, end: str, model: StageModel, tools: Tools) -> float:
        """Return the nearest end of an answer about the seconds around; one at the window's own edge says nothing."""
        inside = row.extent
        window = Span(max(inside.start_s, time_s - self.around_s), min(inside.end_s, time_s + self.around_s))
        if window.length_s < 1.0:
            return time_s
        ((answer,),) = model.ground(model.watch(tools.video(row.video), window), [row.query])
        step_s = 1 / self.fps
        ends: list[float] = [getattr(span, end) for span in counted_spans(answer, LENIENT) or []]
        inner = [end_s for end_s in ends if window.start_s + step_s < end_s < window.end_s - step_s]
        nearest = min(inner, key=lambda end_s: abs(end_s - time_s), default=time_s)
        return round(nearest, 3)


def joined(spans: list[Span], gap_s: float) -> list[Span]:
    """Return spans in order, those at most `gap_s` apart made one."""
    result: list[Span] = []
    for span in sorted(spans):
        if result and span.start_s - result[-1].end_s <= gap_s:
            result[-1] = Span(result[-1].start_s, max(result[-1].end_s, span.end_s))
        else:
            result.append(span)
    return result
