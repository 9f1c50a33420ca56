"""Answers every query in several independent passes: models, time encodings, frame rates, views, samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from timeground.chat.layout import TimeEncoding
from timeground.cli.recipes import Settings
from timeground.data.rows import Row
from timeground.scoring import LENIENT, ParsedAnswer, counted_spans
from timeground.spans import clamp

from ..item import Item
from ..notes import PassAnswer, quality
from ..stage import VideoStage, by_window, grounding
from ..tools import Tools
from ..views import View

if TYPE_CHECKING:
    from timeground.media.video import Video
    from timeground.methods.base import Method

    from ..asking import StageModel


class Pass(Settings):
    """One way of asking."""

    model: str = "tiny"
    views: tuple[View, ...] = Field((View.PLAIN,), min_length=1)
    """How the video is shown; the pass asks in each."""
    time_encoding: TimeEncoding | None = None
    """None: as the model's profile has it."""
    fps: float | None = Field(None, gt=0)
    """None: as the model's profile has it."""
    temperature: float = Field(0.0, ge=0)
    samples: int = Field(1, ge=1, le=64)
    """Answers in each of the views; greedy at temperature 0."""

    def opened(self, tools: Tools) -> StageModel:
        """Return the model, set to look as this pass does."""
        encoding = self.time_encoding and self.time_encoding.value
        return tools.model(self.model).with_profile(time_encoding=encoding, fps=self.fps)

    def ask(self, model: StageModel, asked: Method, queries: Sequence[str], seed: int) -> list[list[ParsedAnswer]]:
        """Return the answers to each query about a video that the model was shown."""
        return model.ground(asked, queries, num_answers=self.samples, temperature=self.temperature, seed=seed)

    def label(self, view: View) -> str:
        """Return what the pass is called in the row."""
        shown = None if view == View.PLAIN else view.value
        parts = [self.model, shown, self.time_encoding, self.fps and f"{self.fps:g} fps"]
        return " ".join(str(part) for part in parts if part) + (f" t={self.temperature:g}" if self.temperature else "")


class Ground(VideoStage):
    """Writes ``quality["passes"]``. A view skips a row whose query no rule can word for it."""

    needs = ("rows",)
    gives = ("quality.passes",)
    stage: Literal["ground"] = "ground"
    passes: list[Pass] = Field([Pass(), Pass(fps=4.0), Pass(temperature=0.7, samples=2)], min_length=1)

    def models(self) -> list[str]:
        """Return the models of all passes."""
        return [one.model for one in self.passes]

    def run(self, item: Item, tools: Tools) -> None:
        """Run every pass over every window of the video."""
        for rows in by_window(grounding(item.rows)).values():
            ask_passes(self.passes, rows, tools)


def ask_passes(passes: Sequence[Pass], rows: Sequence[Row], tools: Tools) -> None:
    """Run every pass in each of its views over rows of one window, into ``quality["passes"]``.

    Passes that differ only in how they draw their answers share one look at the video.
    """
    for row in rows:
        quality(row)["passes"] = []
    alike: dict[tuple[Any, ...], list[tuple[int, Pass]]] = {}
    for number, one in enumerate(passes):
        alike.setdefault((one.model, one.time_encoding, one.fps), []).append((number, one))
    for group in alike.values():
        model = group[0][1].opened(tools)
        video = tools.video(rows[0].video)
        for view in View:
            asking = [(number, one) for number, one in group if view in one.views]
            if asking:
                _ask_in_view(view, asking, model, video, rows, tools)


def _ask_in_view(
    view: View, passes: Sequence[tuple[int, Pass]], model: StageModel, video: Video, rows: Sequence[Row], tools: Tools
) -> None:
    """Show the video once, and ask in all these passes (with their numbers) about the rows that the view can word."""
    worded = [(row, query) for row in rows if (query := view.word(row))]
    if not worded:
        return
    asked = model.watch(view.of(video, rows[0].window, model.sampling()), rows[0].window)
    for number, one in passes:
        seed = tools.number(rows[0].video, rows[0].window, number, *([] if view == View.PLAIN else [view]))
        groups = one.ask(model, asked, [query for _, query in worded], seed)
        for (row, _), answers in zip(worded, groups, strict=True):
            quality(row)["passes"] += [stored(one.label(view), answer, row, view) for answer in answers]


def stored(label: str, answer: ParsedAnswer, row: Row, view: View = View.PLAIN) -> PassAnswer:
    """Return an answer as it is kept in the row, inside the row's window and in its times."""
    inside = row.extent
    spans = [
        clamp(span, inside.start_s, inside.end_s) for span in view.turn(counted_spans(answer, LENIENT) or [], inside)
    ]
    kept = [[round(span.start_s, 3), round(span.end_s, 3)] for span in spans if span.length_s > 0]
    understood = answer.absent or bool(kept)
    return {"pass": label, "spans": kept if understood else None, "absent": answer.absent}
