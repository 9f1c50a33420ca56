"""Compares the passes: keeps the answer in the middle of them (the medoid) and how well the others match it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from timeground.data.rows import Row
from timeground.spans import Span, set_iou

from ..item import Item
from ..notes import Agreement, PassAnswer, note, quality
from ..stage import VideoStage, grounding, to_pairs, to_spans
from ..tools import Tools


class Agree(VideoStage):
    """Writes ``quality["agreement"]``: the medoid's spans, its mean IoU with the other passes, how many say "absent".

    New rows, whose times are rough, take the medoid's spans where passes agree and are dropped where they do not. Old
    rows keep their spans: `audit` compares them with the passes.
    """

    needs = ("rows", "quality.passes")
    gives = ("quality.agreement",)
    stage: Literal["agree"] = "agree"
    min_iou: float = Field(0.5, ge=0, le=1)
    """Mean merged-set IoU from which passes agree (TimeLens2 asks 0.9 of two large models)."""
    old: Literal["keep", "drop"] = "keep"
    """What becomes of an old row where passes do not agree."""

    def run(self, item: Item, tools: Tools) -> None:
        """Compare the passes of each row."""
        for row in grounding(item.rows):
            self.require(row, "quality.passes")
            found = agreement(quality(row)["passes"])
            found["agreed"] = found["iou"] >= self.min_iou
            quality(row)["agreement"] = found
            if row.meta.get("rough"):
                self._settle(item, row, found)
            elif self.old == "drop" and not found["agreed"]:
                item.drop(row, self.stage, "apart", self._apart(found))

    def _settle(self, item: Item, row: Row, found: Agreement) -> None:
        """Give a new row its times, or drop it."""
        if not found["agreed"]:
            item.drop(row, self.stage, "apart", self._apart(found))
        elif not found["spans"]:
            item.drop(row, self.stage, "missing", "the passes agree that it does not happen")
        else:
            why = f"passes agree: mean IoU {found['iou']:.2f}; rough times were {to_pairs(row.spans)}"
            row.spans = to_spans(found["spans"])
            row.meta.pop("rough")
            note(row, self.stage, "spans", why)

    def _apart(self, found: Agreement) -> str:
        """Return that the passes do not agree, in words."""
        return f"the passes do not agree: mean IoU {found['iou']:.2f}, at least {self.min_iou:g} is wanted"


def agreement(passes: list[PassAnswer]) -> Agreement:
    """Return the medoid of the passes: the answer with the highest mean IoU to the others.

    Two passes that say "absent" agree fully; a pass that could not be read agrees with nothing. One pass alone agrees
    with itself if it could be read.
    """
    answers = [None if one["spans"] is None else to_spans(one["spans"]) for one in passes]
    means = [_mean_iou(i, answers) for i in range(len(answers))]
    best = max(range(len(answers)), key=lambda i: (means[i], -i))
    middle = answers[best]
    return {
        "spans": None if middle is None else to_pairs(middle),
        "iou": round(means[best], 4),
        "absent": round(sum(answer == [] for answer in answers) / len(answers), 4),
    }


def _mean_iou(number: int, answers: list[list[Span] | None]) -> float:
    """Return the mean IoU of one answer with the others."""
    mine = answers[number]
    if mine is None:
        return 0.0
    others = [answer for i, answer in enumerate(answers) if i != number]
    scores = [0.0 if other is None else set_iou(mine, other) for other in others]
    return sum(scores) / len(scores) if scores else 1.0
