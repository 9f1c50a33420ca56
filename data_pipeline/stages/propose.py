"""Makes rows: a model lists the distinct events of a video, each a query with rough times."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import PurePosixPath
from typing import Literal

from pydantic import Field

from timeground.data.rows import Row
from timeground.media.decode import probe
from timeground.methods.grounder import TOKENS_TO_LIST
from timeground.spans import Span, clamp

from ..asking import question
from ..item import Item
from ..notes import note
from ..stage import VideoStage, to_spans
from ..tools import Tools

Event = tuple[str, Span]


class Propose(VideoStage):
    """Makes rows for videos that have none, and where `audit` found too little covered."""

    gives = ("rows", "meta.rough")
    stage: Literal["propose"] = "propose"
    model: str = "tiny"
    prompt: str = "propose"
    """The prompt file; the default suits the bundled model, `propose-detailed` larger ones."""
    every_s: float = Field(8.0, gt=0)
    """One event for so many seconds of video, between `fewest` and `most`."""
    fewest: int = Field(2, ge=1)
    most: int = Field(12, ge=1)
    within: Literal["video", "segments"] = "video"
    """Look at the whole video, or at each segment that `shots` or `events` found."""
    everywhere: bool = False
    """Make rows for videos that have some, too."""
    temperature: float = Field(0.0, ge=0)

    def needed(self) -> tuple[str, ...]:
        """Return the segments, if it looks at these."""
        return ("facts.segments",) if self.within == "segments" else ()

    def models(self) -> list[str]:
        """Return the model that lists."""
        return [self.model]

    def prompt_names(self) -> list[str]:
        """Return the prompt that asks."""
        return [self.prompt]

    def run(self, item: Item, tools: Tools) -> None:
        """Ask, and make rows of the answers."""
        more = item.facts.pop("propose_more", False)
        if item.rows and not (self.everywhere or more):
            return
        duration_s = item.facts.get("duration_s") or probe(tools.path(item.video), tools.folder_fps).duration_s
        segments = to_spans(item.facts["segments"]) if self.within == "segments" else []
        windows: list[Span | None] = [*segments] or [None]
        events: list[Event] = []
        for window in windows:
            events += self._events(item, tools, window, duration_s)
        prompt = tools.prompt(self.prompt)
        stem, taken = PurePosixPath(item.video).with_suffix(""), {row.id for row in item.rows}
        names = (name for number in count() if (name := f"{stem}-p{number}") not in taken)
        for name, (query, span) in zip(names, self._chosen(events, duration_s), strict=False):
            row = Row(name, item.video, duration_s, query, [span])
            row.source, row.meta = "proposed", {"rough": True}
            note(row, self.stage, "made", f"listed by {tools.models[self.model].name}", prompt.version)
            item.rows.append(row)
        if not item.rows:
            item.drop_all(self.stage, "nothing", "the model listed no event with a time")

    def _events(self, item: Item, tools: Tools, window: Span | None, duration_s: float) -> list[Event]:
        """Return what the model lists in a window."""
        model = tools.model(self.model)
        length_s = window.length_s if window else duration_s
        text = tools.prompt(self.prompt).fill(num_events=self._number(length_s), duration_s=f"{length_s:.1f}")
        asked = model.watch(tools.video(item.video), window)
        row = replace(question(asked, 0, text), meta={"events": []})
        request = {"temperature": self.temperature, "seed": tools.number(item.video, "propose", window)}
        ((outcome,),) = model.ask(asked, [row], max_new_tokens=TOKENS_TO_LIST, **request)
        inside = window or Span(0.0, duration_s)
        listed = [(query, span.ordered()) for query, span in outcome.answer.events]
        clamped = [(query, clamp(span, inside.start_s, inside.end_s)) for query, span in listed]
        return [(query, span) for query, span in clamped if span.length_s > 0]

    def _number(self, length_s: float) -> int:
        """Return how many events a stretch of this length should have."""
        return max(self.fewest, min(self.most, round(length_s / self.every_s)))

    def _chosen(self, events: list[Event], duration_s: float) -> list[Event]:
        """Return as many as the length allows, each query once, spread evenly over time."""
        once = {query.lower(): (query, span) for query, span in reversed(events)}
        ordered = sorted(once.values(), key=lambda event: (event[1], event[0]))
        wanted = self._number(duration_s)
        if len(ordered) <= wanted:
            return ordered
        return [ordered[round(i * (len(ordered) - 1) / max(1, wanted - 1))] for i in range(wanted)]
