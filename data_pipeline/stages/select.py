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
from ..notes import difficulty
from ..stage import GlobalStage, grounding
from ..tools import Tools

Method = Literal["even", "gaussian", "hard", "variance"]


class Select(GlobalStage):
    """Drops the grounding rows that are not drawn; other rows stay as they are."""

    needs = ("rows",)
    stage: Literal["select"] = "select"
    method: Method = "even"
    """``even`` (any row alike); ``gaussian``: weight ``exp(-((iou - centre) / width)^2 / 2)`` on the mean IoU over the
    number of rows in its IoU bin (TimeLens 0.05, 0.2; Time-R1 0.3, 0.2); ``hard``: ``(1 - mean IoU)^2`` (TimeLens2);
    ``variance``: rows whose rollouts differ, the widest spread first (Temporal-R1)."""
    count: int | None = Field(None, ge=1)
    """Rows wanted; None for all that are not filtered out."""
    bucket_s: float = Field(30.0, ge=0)
    """Stretches of durations with equal quota (TimeLens: 30 s, 9 of them); 0: none."""
    num_buckets: int = Field(9, ge=1)
    """Number of stretches; the last one is open."""
    centre: float = 0.05
    width: float = Field(0.2, gt=0)
    num_bins: int = Field(20, ge=1)
    max_boost: float = Field(10.0, ge=1)
    """A bin counts as if it held at least the average number of rows over this, so that a bin with one row does not
    always win."""
    min_iou: float | None = None
    """The mean IoU must be above this (Time-R1: 0)."""
    max_iou: float | None = None
    """The mean IoU must be at most this (Time-R1: 0.7)."""
    drop_blind: bool = False
    """Drop rows that are answered right on grey frames."""
    max_rows_per_video: int | None = Field(None, ge=1)

    @property
    def uses_iou(self) -> bool:
        """Return whether the mean IoU of the rollouts decides."""
        return self.method != "even" or self.min_iou is not None or self.max_iou is not None

    def needed(self) -> tuple[str, ...]:
        """Return the rows, and what of their difficulty decides."""
        uses = {
            "difficulty.mean_iou": self.uses_iou,
            "difficulty.spread": self.method == "variance",
            "difficulty.blind_solvable": self.drop_blind,
        }
        return (*self.needs, *(key for key, is_used in uses.items() if is_used))

    def decide(self, items: Iterable[Item], tools: Tools) -> dict[str, tuple[str, str]]:
        """Return the reasons for the rows that are not drawn."""
        rows = grounding(row for item in items for row in item.rows)
        dropped = {row.id: ("filter", why) for row in rows if (why := self._filtered(row))}
        left = [row for row in rows if row.id not in dropped]
        drawn = self._drawn(self._order(left, tools))
        reason = f"not among the rows drawn by {self.method}" + (f" ({self.count} wanted)" if self.count else "")
        return dropped | {row.id: ("not-drawn", reason) for row in left if row.id not in drawn}

    def _filtered(self, row: Row) -> str | None:
        """Return a reason that holds whatever the other rows are."""
        if self.uses_iou:
            self.require(row, "difficulty.mean_iou")
        mean = difficulty(row).get("mean_iou", 0.0)
        if self.min_iou is not None and mean <= self.min_iou:
            return f"mean IoU {mean} of the rollouts is not above {self.min_iou:g}"
        if self.max_iou is not None and mean > self.max_iou:
            return f"mean IoU {mean} of the rollouts is above {self.max_iou:g}"
        if self.method == "variance" and self._spread(row) == 0:
            return f"all rollouts score {mean}: there is nothing to learn from comparing them"
        if self.drop_blind and difficulty(row).get("blind_solvable"):
            return "it is answered right without seeing the video"
        return None

    def _order(self, rows: list[Row], tools: Tools) -> list[Row]:
        """Return rows as they are drawn, weighted, without replacement (Efraimidis and Spirakis 2006)."""
        if self.method == "variance":
            return sorted(rows, key=lambda row: (-self._spread(row), row.id))
        chance = tools.rng("select", self.method).random(len(rows))
        with np.errstate(divide="ignore"):
            keys = np.log(np.maximum(chance, 1e-300)) / np.maximum(self.weights(rows), 1e-300)
        return [rows[i] for i in np.argsort(-keys, kind="stable")]

    def _spread(self, row: Row) -> float:
        """Return the standard deviation of a row's rollouts."""
        self.require(row, "difficulty.spread")
        return difficulty(row)["spread"]

    def weights(self, rows: list[Row]) -> NDArray[np.float64]:
        """Return the weight of each row, before any draw."""
        if self.method == "even" or not rows:
            return np.ones(len(rows))
        ious = np.array([difficulty(row)["mean_iou"] for row in rows], dtype=np.float64)
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
        """Return row ids, in order, until the bucket's quota or the video's is full."""
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
        """Return the stretch of durations that a row belongs to."""
        return min(int(row.duration // self.bucket_s), self.num_buckets - 1) if self.bucket_s else 0
