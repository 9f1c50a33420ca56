"""Lets several independent passes answer every query: several models, time encodings, frame rates, samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from timeground.answers import ParsedSpans
from timeground.recipes import Settings
from timeground.records import Row
from timeground.spans import clamp
from timeground.timecode import TimeEncoding
from timeground.video.perturb import blank as blanked

from ..item import Item
from ..tools import Tools
from .base import VideoStage, by_window


class Pass(Settings):
    """One way of asking. samples: so many answers (greedy at temperature 0). blank: with nothing to see."""

    model: str = "tiny"
    time_encoding: TimeEncoding | None = None
    fps: float | None = Field(None, gt=0)
    temperature: float = Field(0.0, ge=0)
    samples: int = Field(1, ge=1, le=64)

    def label(self) -> str:
        """What to call it in the row."""
        parts = [self.model, self.time_encoding, self.fps and f"{self.fps:g} fps"]
        return " ".join(str(part) for part in parts if part) + (f" t={self.temperature:g}" if self.temperature else "")


class Ground(VideoStage):
    """Writes ``quality["passes"]``: a list of ``{pass, spans, absent}``; spans None: nothing was understood."""

    stage: Literal["ground"] = "ground"
    passes: list[Pass] = Field([Pass(), Pass(fps=4.0), Pass(temperature=0.7, samples=2)], min_length=1)

    def models(self) -> list[str]:
        """The models of all passes."""
        return [one.model for one in self.passes]

    def run(self, item: Item, tools: Tools) -> None:
        """Every pass over every window of the video."""
        for _, rows in by_window(item.rows):
            for row in rows:
                row.quality["passes"] = []
            for number, one in enumerate(self.passes):
                for row, answers in zip(rows, answers_of(one, item.video, rows, tools, number), strict=True):
                    row.quality["passes"] += [stored(one.label(), answer, row) for answer in answers]


def answers_of(
    one: Pass, video: str, rows: Sequence[Row], tools: Tools, number: int = 0, *, blank: bool = False
) -> list[list[ParsedSpans]]:
    """The answers of a pass to rows of one window; `blank`: shown grey frames in place of the video's."""
    changes: dict[str, Any] = {"time_encoding": one.time_encoding and one.time_encoding.value, "fps": one.fps}
    model = tools.model(one.model).changed(**changes)
    clip = tools.clip(video, model.sampling(), rows[0].window)
    prefix = model.watch(blanked(clip) if blank else clip)
    seed = tools.number(video, rows[0].window, number)
    return model.ground(prefix, rows, num_answers=one.samples, temperature=one.temperature, seed=seed)


def stored(label: str, answer: ParsedSpans, row: Row) -> dict[str, Any]:
    """An answer as it is kept in the row, inside the row's window."""
    inside = row.extent
    spans = [clamp(span, inside.start_s, inside.end_s) for span in answer.spans]
    kept = [[round(span.start_s, 3), round(span.end_s, 3)] for span in spans if span.length_s > 0]
    understood = answer.absent or bool(kept)
    return {"pass": label, "spans": kept if understood else None, "absent": answer.absent}
