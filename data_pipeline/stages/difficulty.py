"""Measures how hard a row is for the model that will be trained: rollouts, pass@k, and whether it needs eyes at all."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from timeground.data.rows import Row
from timeground.media.views import blank
from timeground.metrics.passk import pass_at_k
from timeground.scoring import ParsedAnswer, whole_iou

from ..item import Item
from ..notes import difficulty
from ..stage import VideoStage, by_window, grounding
from ..tools import Tools
from .ground import Pass


class Difficulty(VideoStage):
    """Writes ``difficulty``: ``ious``, ``mean_iou``, ``spread`` (standard deviation), ``pass@1``, ``pass@k``."""

    needs = ("rows",)
    gives = (
        "difficulty.ious",
        "difficulty.mean_iou",
        "difficulty.spread",
        "difficulty.blind_iou",
        "difficulty.blind_solvable",
    )
    gives_if: ClassVar[dict[str, str]] = {"difficulty.blind_iou": "blind", "difficulty.blind_solvable": "blind"}
    stage: Literal["difficulty"] = "difficulty"
    model: str = "tiny"
    rollouts: int = Field(8, ge=1, le=64)
    """Answers to each row (TimeLens2: 8)."""
    temperature: float = Field(1.0, gt=0)
    hit_iou: float = Field(0.5, gt=0, le=1)
    """From this IoU on an answer is right."""
    blind: bool = True
    """Also ask on grey frames; a row that is answered right there is ``blind_solvable``."""

    def models(self) -> list[str]:
        """Return the model to be trained."""
        return [self.model]

    def run(self, item: Item, tools: Tools) -> None:
        """Ask about each window as it is, and on grey frames."""
        sampled = Pass(model=self.model, temperature=self.temperature, samples=self.rollouts)
        for window, rows in by_window(grounding(item.rows)).items():
            model, queries = sampled.opened(tools), [row.query for row in rows]
            seen = model.watch(tools.video(item.video), window)
            seed = tools.number(item.video, window, 0)
            for row, answers in zip(rows, sampled.ask(model, seen, queries, seed), strict=True):
                row.difficulty |= of_rollouts(answers, row, self.hit_iou)
            if not self.blind:
                continue
            unseen = Pass(model=self.model).ask(model, model.watch(blank(seen.clip)), queries, seed)
            for row, (answer,) in zip(rows, unseen, strict=True):
                blind_iou = round(whole_iou(answer, row.spans), 4)
                difficulty(row)["blind_iou"] = blind_iou
                difficulty(row)["blind_solvable"] = blind_iou >= self.hit_iou


def of_rollouts(answers: Sequence[ParsedAnswer], row: Row, hit_iou: float) -> dict[str, Any]:
    """Return what answers to a row tell of its difficulty. The strict protocol scores them, as it does in evaluation.

    hit_iou: from here on an answer is right.
    """
    ious = [round(whole_iou(answer, row.spans), 4) for answer in answers]
    hits, count = sum(iou >= hit_iou for iou in ious), len(ious)
    return {
        "ious": ious,
        "mean_iou": round(statistics.fmean(ious), 4),
        "spread": round(statistics.pstdev(ious), 4),
        "pass@1": round(pass_at_k(count, hits, 1), 4),
        f"pass@{count}": round(pass_at_k(count, hits, count), 4),
    }
