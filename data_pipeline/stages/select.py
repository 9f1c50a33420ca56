"""Draws the rows to train on: as many from each stretch of durations, of the wanted difficulty, by seed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from timeground.data.rows import Row

from ..item import Item
from ..tools import Tools
from .base import GlobalStage, is_grounding, require

Method = Literal["even", "gaussian", "hard", "variance"]


class Select(GlobalStage):
    """Rows that are not grounding rows stay as they are.

    method: ``even`` (any row alike); ``gaussian``: weight ``exp(-((iou - centre) / width)^2 / 2)`` on the mean IoU over
    the number of rows in its IoU bin (TimeLens 0.05, 0.2; Time-R1 0.3, 0.2); ``hard``: ``(1 - mean IoU)^2``
    (TimeLens2); ``variance``: rows whose rollouts differ, the widest spread first (Temporal-R1).
    count: rows wanted, None for all that pass. bucket_s, num_buckets: stretches of durations with equal quota, the last
    one open (TimeLens: 30 s, 9); 0: none. max_boost: a bin counts as if it held at least the average number of rows
    over this, so that a bin with one row does not always win. min_iou, max_iou: mean IoU strictly above, and at most
    (Time-R1: 0, 0.7).
    """

    stage: Literal["select"] = "select"
    method: Method = "even"
    count: int | None = Field(None, ge=1)
    bucket_s: float = Field(30.0, ge=0)
    num_buckets: int = Field(9, ge=1)
    centre: float = 0.05
    width: float = Field(0.2, gt=0)
    num_bins: int = Field(20, ge=1)
    max_boost: float = Field(10.0, ge=1)
    min_iou: float | None = None
    max_iou: float | None = None
    drop_blind: bool = False
    max_rows_per_video: int | None = Field(None, ge=1)

    def decide(self, items: Iterable[Item], tools: Tools) -> dict[str, tuple[str, str]]:
        """Reasons for the rows that are not drawn."""
        rows = [row for item in items for row in item.rows if is_grounding(row)]
        verdict = {row.id: ("filter", why) for row in rows if (why := self._filtered(row))}
        left = [row for row in rows if row.id not in verdict]
        order = self._order(left, tools)
        drawn = self._drawn(order)
        reason = f"not among the rows drawn by {self.method}" + (f" ({self.count} wanted)" if self.count else "")
        return verdict | {row.id: ("not-drawn", reason) for row in left if row.id not in drawn}

    def _filtered(self, row: Row) -> str | None:
        """A reason that holds whatever the other rows are."""
        needed = self.method != "even" or self.min_iou is not None or self.max_iou is not None
        known = "mean_iou" in row.difficulty
        require(not needed or known, f"stage select ({self.method}) needs stage difficulty before it")
        mean = row.difficulty["mean_iou"] if known else 0.0
        if self.min_iou is not None and mean <= self.min_iou:
            return f"mean IoU {mean} of the rollouts is not above {self.min_iou:g}"
        if self.max_iou is not None and mean > self.max_iou:
            return f"mean IoU {mean} of the rollouts is above {self.max_iou:g}"
        if self.method == "variance" and row.difficulty["spread"] == 0:
            return f"all rollouts score {mean}: there is nothing to learn from comparing them"
        if self.drop_blind and row.difficulty.get("blind_solvable"):
            return "it is answered right without seeing the video"
        return None

    def _order(self, rows: list[Row], tools: Tools) -> list[Row]:
        """Rows in the order in which they are drawn; weighted, without replacement (Efraimidis and Spirakis 2006)."""
        if self.method == "variance":
            return sorted(rows, key=lambda row: (-row.difficulty["spread"], row.id))
        chance = tools.rng("select", self.method).random(len(rows))
        with np.errstate(divide="ignore"):
            keys = np.log(np.maximum(chance, 1e-300)) / np.maximum(self.weights(rows), 1e-300)
        return [rows[i] for i in np.argsort(-keys, kind="stable")]

    def weights(self, rows: list[Row]) -> NDArray[np.float64]:
        """The weight of each row, before any draw."""
        if self.method == "even" or not rows:
            return np.ones(len(rows))
        ious = np.array([row.difficulty["mean_iou"] for row in rows], dtype=np.float64)
        if self.method == "hard":
            weights = (1 - ious) ** 2
        else:
            bins = np.minimum((ious * self.num_bins).astype(int), self.num_bins - 1)
            buckets = [self._bucket(row) for row in rows]
            sizes = Counter(zip(buckets, bins.tolist(), strict=True))
            density = np.array([sizes[key] for key in zip(buckets, bins.tolist(), strict=True)], dtype=np.float64)
            density = np.maximum(density, len(rows) / len(sizes) / self.max_boost)
            weights = np.exp(-0.5 * ((ious - self.centre) / self.width) ** 2) / density
        return weights

    def _drawn(self, order: list[Row]) -> set[str]:
        """Row ids, in order, until the bucket's quota or the video's is full."""
        buckets = self.num_buckets if self.bucket_s else 1
        quota = None if self.count is None else max(1, self.count // buckets)
        taken: Counter[int] = Counter()
        of_video: defaultdict[str, int] = defaultdict(int)
        drawn = set()
        for row in order:
            bucket = self._bucket(row)
            full = quota is not None and taken[bucket] >= quota
            if full or (self.max_rows_per_video and of_video[row.video] >= self.max_rows_per_video):
                continue
            taken[bucket] += 1
            of_video[row.video] += 1
            drawn.add(row.id)
        return drawn

    def _bucket(self, row: Row) -> int:
        return min(int(row.duration // self.bucket_s), self.num_buckets - 1) if self.bucket_s else 0
