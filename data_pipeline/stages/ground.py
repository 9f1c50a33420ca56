"""Lets several independent passes answer every query: several models, time encodings, frame rates, samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from timeground.chat.layout import TimeEncoding
from timeground.cli.recipes import Settings
from timeground.data.rows import Row
from timeground.grammar.answers import ParsedSpans
from timeground.spans import clamp

from ..item import Item
from ..tools import Tools
from .base import VideoStage, by_window
from .views import View

if TYPE_CHECKING:
    from timeground.media.clip import Clip

    from ..asking import Asked, Seen


class Pass(Settings):
    """One way of asking. samples: so many answers (greedy at temperature 0), for each of the views."""

    model: str = "tiny"
    views: tuple[View, ...] = Field((View.PLAIN,), min_length=1)
    time_encoding: TimeEncoding | None = None
    fps: float | None = Field(None, gt=0)
    temperature: float = Field(0.0, ge=0)
    samples: int = Field(1, ge=1, le=64)

    def opened(self, tools: Tools) -> Asked:
        """The model, set to look as this pass does."""
        encoding = self.time_encoding and self.time_encoding.value
        return tools.model(self.model).changed(time_encoding=encoding, fps=self.fps)

    def ask(self, model: Asked, seen: Seen, queries: Sequence[str], seed: int) -> list[list[ParsedSpans]]:
        """The answers to each query about a clip that was looked at."""
        return model.ground(seen, queries, num_answers=self.samples, temperature=self.temperature, seed=seed)

    def label(self, view: View) -> str:
        """What to call it in the row."""
        seen = None if view == View.PLAIN else view.value
        parts = [self.model, seen, self.time_encoding, self.fps and f"{self.fps:g} fps"]
        return " ".join(str(part) for part in parts if part) + (f" t={self.temperature:g}" if self.temperature else "")


class Ground(VideoStage):
    """Writes ``quality["passes"]``: a list of ``{pass, spans, absent}``; spans None: nothing was understood.

    A view passes a row by whose query no rule can word for it.
    """

    stage: Literal["ground"] = "ground"
    passes: list[Pass] = Field([Pass(), Pass(fps=4.0), Pass(temperature=0.7, samples=2)], min_length=1)

    def models(self) -> list[str]:
        """The models of all passes."""
        return [one.model for one in self.passes]

    def run(self, item: Item, tools: Tools) -> None:
        """Every pass over every window of the video."""
        for _, rows in by_window(item.rows):
            ask_passes(self.passes, rows, tools)


def ask_passes(passes: Sequence[Pass], rows: Sequence[Row], tools: Tools) -> None:
    """Every pass in each of its views over rows of one window, into ``quality["passes"]``.

    Passes that differ only in how they draw their answers share one look at the video.
    """
    for row in rows:
        row.quality["passes"] = []
    alike: dict[tuple[Any, ...], list[tuple[int, Pass]]] = {}
    for number, one in enumerate(passes):
        alike.setdefault((one.model, one.time_encoding, one.fps), []).append((number, one))
    for group in alike.values():
        model = group[0][1].opened(tools)
        clip = tools.clip(rows[0].video, model.sampling(), rows[0].window)
        for view in View:
            asking = [(number, one) for number, one in group if view in one.views]
            if asking:
                _ask_in_view(view, asking, model, clip, rows, tools)


def _ask_in_view(
    view: View, passes: Sequence[tuple[int, Pass]], model: Asked, clip: Clip, rows: Sequence[Row], tools: Tools
) -> None:
    """One look at the clip, and what all these passes (with their numbers) say of the rows that the view can word."""
    worded = [(row, query) for row in rows if (query := view.word(row))]
    if not worded:
        return
    seen = model.watch(view.show(clip))
    for number, one in passes:
        seed = tools.number(rows[0].video, rows[0].window, number, *([] if view == View.PLAIN else [view]))
        said = one.ask(model, seen, [query for _, query in worded], seed)
        for (row, _), answers in zip(worded, said, strict=True):
            row.quality["passes"] += [stored(one.label(view), answer, row, view) for answer in answers]


def stored(label: str, answer: ParsedSpans, row: Row, view: View = View.PLAIN) -> dict[str, Any]:
    """An answer as it is kept in the row, inside the row's window and in its times."""
    inside = row.extent
    spans = [clamp(span, inside.start_s, inside.end_s) for span in view.turn(answer.spans, inside)]
    kept = [[round(span.start_s, 3), round(span.end_s, 3)] for span in spans if span.length_s > 0]
    understood = answer.absent or bool(kept)
    return {"pass": label, "spans": kept if understood else None, "absent": answer.absent}
