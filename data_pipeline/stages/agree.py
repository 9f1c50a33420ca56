"""Do the passes agree? Keeps the answer in the middle of them (the medoid) and how well the others match it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from timeground.data.rows import Row
from timeground.spans import Span, set_iou

from ..item import Item, note
from ..tools import Tools
from .base import VideoStage, is_grounding, require, to_spans


class Agree(VideoStage):
    """Writes ``quality["agreement"]``: the medoid's spans, its mean IoU with the other passes, how many say "absent".

    min_iou: mean merged-set IoU from which passes agree (TimeLens2 asks 0.9 of two large models). New rows, whose
    times are rough, take the medoid's spans where passes agree and are dropped where they do not. Old rows keep their
    spans: `audit` compares them with the passes; with ``old: drop`` they are dropped as well where passes disagree.
    """

    stage: Literal["agree"] = "agree"
    min_iou: float = Field(0.5, ge=0, le=1)
    old: Literal["keep", "drop"] = "keep"

    def run(self, item: Item, tools: Tools) -> None:
        """Compare the passes of each row."""
        for row in list(item.rows):
            if not is_grounding(row):
                continue
            require("passes" in row.quality, "stage agree needs stage ground before it")
            found = agreement(row.quality["passes"])
            found["agreed"] = found["iou"] >= self.min_iou
            row.quality["agreement"] = found
            if row.meta.get("rough"):
                self._settle(item, row, found)
            elif self.old == "drop" and not found["agreed"]:
                item.drop(row, self.stage, "apart", self._apart(found))

    def _settle(self, item: Item, row: Row, found: dict[str, Any]) -> None:
        """A new row gets its times here, or goes."""
        if not found["agreed"]:
            item.drop(row, self.stage, "apart", self._apart(found))
        elif not found["spans"]:
            item.drop(row, self.stage, "missing", "the passes agree that it does not happen")
        else:
            why = f"passes agree: mean IoU {found['iou']:.2f}; rough times were {[s.to_list() for s in row.spans]}"
            row.spans = to_spans(found["spans"])
            row.meta.pop("rough")
            note(row, self.stage, "spans", why)

    def _apart(self, found: dict[str, Any]) -> str:
        return f"the passes do not agree: mean IoU {found['iou']:.2f}, at least {self.min_iou:g} is wanted"


def agreement(passes: list[dict[str, Any]]) -> dict[str, Any]:
    """The medoid of the passes: the answer with the highest mean IoU to the others.

    Two passes that say "absent" agree fully; a pass that was not understood agrees with nothing. One pass alone agrees
    with itself if it was understood.
    """
    answers = [None if one["spans"] is None else to_spans(one["spans"]) for one in passes]
    means = [_mean_iou(place, answers) for place in range(len(answers))]
    best = max(range(len(answers)), key=lambda place: (means[place], -place))
    middle = answers[best]
    return {
        "spans": None if middle is None else [span.to_list() for span in middle],
        "iou": round(means[best], 4),
        "absent": round(sum(answer == [] for answer in answers) / len(answers), 4),
    }


def _mean_iou(place: int, answers: list[list[Span] | None]) -> float:
    """Mean IoU of one answer with the others."""
    mine = answers[place]
    if mine is None:
        return 0.0
    others = [answer for i, answer in enumerate(answers) if i != place]
    scores = [0.0 if other is None else set_iou(mine, other) for other in others]
    return sum(scores) / len(scores) if scores else 1.0
