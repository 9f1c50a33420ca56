"""Labels whether a query tells time's direction: by rule where a rule is sure, else by a model, else unknown."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Literal

from timeground.data.row_checks import Direction as Label
from timeground.data.rows import Row
from timeground.media.views import blank

from ..item import Item
from ..language.direction import direction_of
from ..notes import note, quality
from ..stage import VideoStage, grounding
from ..tools import Tools


class Direction(VideoStage):
    """Sets ``direction`` where it is unknown."""

    needs = ("rows",)
    gives = ("quality.direction_by",)
    stage: Literal["direction"] = "direction"
    model: str | None = None
    """Asked where no rule is sure; None asks none."""
    again: bool = False
    """Set it in every row, whatever is known."""

    def models(self) -> list[str]:
        """Return the judge, if there is one."""
        return [self.model] if self.model else []

    def prompt_names(self) -> list[str]:
        """Return the question to the judge."""
        return ["direction"] if self.model else []

    def run(self, item: Item, tools: Tools) -> None:
        """Label by rule first; ask the model about the rest, in one go."""
        unsure = []
        for row in grounding(item.rows):
            if not self.again and row.direction != "unknown":
                continue
            label = direction_of(row.query)
            if label == "unknown":
                unsure.append(row)
            else:
                _set(row, label, "by rule")
        if self.model and unsure:
            self._judge(self.model, item, unsure, tools)

    def _judge(self, name: str, item: Item, rows: list[Row], tools: Tools) -> None:
        """Ask the model about the sentences alone; it is shown a grey picture."""
        model, prompt = tools.model(name), tools.prompt("direction")
        asked = model.watch(blank(tools.clip(item.video, replace(model.sampling(), max_frames=4))))
        texts = [prompt.fill(query=row.query) for row in rows]
        for row, (outcome,) in zip(rows, model.answer(asked, texts, max_new_tokens=256), strict=True):
            label, reason = read_answer(outcome.answer.text)
            if label != "unknown":
                _set(row, label, reason, prompt.version)
            judge = name if label != "unknown" else "nobody: the answer was not the JSON asked for"
            quality(row)["direction_by"] = judge


def read_answer(text: str) -> tuple[Label, str]:
    """Return the label and the reason of an answer.

    It must be ``{"reason": text, "sensitive": true or false}``, perhaps in a code fence; anything else is unknown.
    """
    bare = re.sub(r"^```(?:json)?\s*|\s*```$", "", text.strip())
    try:
        answer = json.loads(bare)
    except (ValueError, RecursionError):
        return "unknown", ""
    if not isinstance(answer, dict) or not isinstance(answer.get("sensitive"), bool):
        return "unknown", ""
    return "sensitive" if answer["sensitive"] else "insensitive", str(answer.get("reason", ""))[:300]


def _set(row: Row, label: Label, why: str, prompt: str | None = None) -> None:
    """Give a row its label, and note it if it is another."""
    if row.direction != label:
        row.direction = label
        note(row, "direction", "direction", f"{label}: {why}", prompt)
