"""Has a model list the distinct events of a video, each a query with rough times, spread over the video."""

from __future__ import annotations

from itertools import count
from pathlib import PurePosixPath
from typing import Literal

from pydantic import Field

from timeground.data.rows import Row
from timeground.grammar.answers import parse_events
from timeground.media.decode import probe
from timeground.spans import Span, clamp, shifted

from ..asking import MAX_TOKENS_TO_LIST
from ..item import Item, note
from ..tools import Tools
from .base import VideoStage, to_spans

Event = tuple[str, Span]


class Propose(VideoStage):
    """New rows for videos that have none (or for all, with `everywhere`), and where `audit` found too little covered.

    prompt: the file that asks; the default suits the bundled model, `propose-detailed` larger ones. every_s: one event
    for so many seconds of video, between `fewest` and `most`. within: look at the whole video, or at each segment that
    `shots` found.
    """

    stage: Literal["propose"] = "propose"
    model: str = "tiny"
    prompt: str = "propose"
    every_s: float = Field(8.0, gt=0)
    fewest: int = Field(2, ge=1)
    most: int = Field(12, ge=1)
    within: Literal["video", "segments"] = "video"
    everywhere: bool = False
    temperature: float = Field(0.0, ge=0)

    def models(self) -> list[str]:
        """The model that lists."""
        return [self.model]

    def prompt_names(self) -> list[str]:
        """The prompt that asks."""
        return [self.prompt]

    def run(self, item: Item, tools: Tools) -> None:
        """Ask, and make rows of what is said."""
        more = item.facts.pop("propose_more", False)
        if item.rows and not (self.everywhere or more):
            return
        duration_s = item.facts.get("duration_s") or probe(tools.path(item.video), tools.folder_fps).duration_s
        found = to_spans(item.facts.get("segments", [])) if self.within == "segments" else []
        windows: list[Span | None] = [*found] or [None]
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
        """What the model lists in a window."""
        model = tools.model(self.model)
        length_s = window.length_s if window else duration_s
        text = tools.prompt(self.prompt).fill(num_events=self._number(length_s), duration_s=f"{length_s:.1f}")
        seen = model.watch(tools.clip(item.video, model.sampling(), window))
        request = {"temperature": self.temperature, "seed": tools.number(item.video, "propose", window)}
        ((said,),) = model.say(seen, [text], max_new_tokens=MAX_TOKENS_TO_LIST, **request)
        inside = window or Span(0.0, duration_s)
        listed = [(query, shifted([span.ordered()], seen.origin_s)[0]) for query, span in parse_events(said.text)]
        found = [(query, clamp(span, inside.start_s, inside.end_s)) for query, span in listed]
        return [(query, span) for query, span in found if span.length_s > 0]

    def _number(self, length_s: float) -> int:
        return max(self.fewest, min(self.most, round(length_s / self.every_s)))

    def _chosen(self, events: list[Event], duration_s: float) -> list[Event]:
        """As many as the length allows, each query once, spread evenly over time."""
        once = {query.lower(): (query, span) for query, span in reversed(events)}
        ordered = sorted(once.values(), key=lambda event: (event[1], event[0]))
        wanted = self._number(duration_s)
        if len(ordered) <= wanted:
            return ordered
        return [ordered[round(i * (len(ordered) - 1) / max(1, wanted - 1))] for i in range(wanted)]
