"""How a run's rows follow what it has learnt: rounds by difficulty, and a plateau at which it stops."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.files.whole_files import write_text

from ..config import PlateauSettings, RefilterSettings
from ..data.render import ClipRows
from ..data.sources import RowSource, Source
from ..rollout.engine import RolloutEngine
from ..runtime import memory
from ..runtime.distributed import on_first_rank, sum_over_ranks
from ..runtime.run import Run
from .scoring import plain_ious


class Rounds:
    """At the beginning of each round every row is answered, and those with ``low < mean IoU <= high`` are kept.

    The choice of a round is written to ``rounds/round-<n>.json`` in the run's folder, and read from there when a
    run goes on. The first round trains on all rows.
    """

    def __init__(self, settings: RefilterSettings, source: Source, sampler: RolloutEngine, run: Run) -> None:
        assert isinstance(source, RowSource)
        self.settings, self.source, self.sampler, self.run = settings, source, sampler, run
        self.all_rows = source.rows
        self.folder = run.phase.folder / "rounds"

    def begins(self, step: int) -> bool:
        """Return whether a round begins with this step (from 1)."""
        return (step - 1) % self.settings.every == 0

    def use(self, step: int) -> None:
        """Train on the rows of the round that this step is in."""
        number = (step - 1) // self.settings.every
        if not number:
            return
        file = self.folder / f"round-{number}.json"
        if not file.exists():
            self._choose(number, file)
        kept = set(json.loads(file.read_text(encoding="utf-8"))["kept"])
        self.source.use([row for row in self.all_rows if row.id in kept])

    def _choose(self, number: int, file: Path) -> None:
        ious = self._measure(number)
        kept = keep(ious, self.settings)
        if not kept:
            low, high = self.settings.low, self.settings.high
            raise UserError(
                f"refilter: no row has {low} < IoU <= {high} in round {number}; widen refilter.low and high"
            )

        on_first_rank(lambda: write_text(file, json.dumps({"kept": kept, "mean_iou": ious})))

    def _measure(self, number: int) -> dict[str, float]:
        """Return mean IoU of sampled answers to each row, measured by all processes together."""
        run = self.run
        mine: dict[int, float] = {}
        places = {row.id: place for place, row in enumerate(self.all_rows)}
        self.source.use(self.all_rows)
        with memory.whole_weights(run.engine):
            run.engine.eval()
            for group in self.source.groups[run.rank :: run.world]:
                for row, iou in self._answered(group, number):
                    mine[places[row.id]] = iou
            run.engine.train()
        ious = torch.full((len(self.all_rows),), 0.0, dtype=torch.float64)
        for place, iou in mine.items():
            ious[place] = iou + 1  # 0 stands for a row that could not be read
        whole = sum_over_ranks(ious.to(run.engine.device)).tolist()
        return {row.id: value - 1 for row, value in zip(self.all_rows, whole, strict=True) if value}

    def _encodable(self, item: ClipRows) -> ClipRows:
        self.sampler.encoder.asked(item)
        return item

    def _answered(self, rows: list[Row], number: int) -> list[tuple[Row, float]]:
        item = self.source.tried(rows, self._encodable)
        if item is None:
            return []
        seed = [self.run.settings.seed, number, *rows[0].id.encode()]
        rollout = self.sampler.group(item, seed)
        return list(zip(rollout.rows, plain_ious(rollout).mean(dim=1).tolist(), strict=True))


def keep(ious: dict[str, float], settings: RefilterSettings) -> list[str]:
    """Return ids of the rows to keep; of too many, evenly spaced ones along the list sorted by IoU."""
    fit = sorted((iou, name) for name, iou in ious.items() if settings.low < iou <= settings.high)
    if len(fit) > settings.max_rows:
        step = (len(fit) - 1) / max(1, settings.max_rows - 1)
        fit = [fit[round(i * step)] for i in range(settings.max_rows)]
    return [name for _, name in fit]


class Plateau:
    """Watches the smoothed reward and the smoothed spread inside groups.

    A run is on a plateau when neither has gained `min_gain` over its best for `patience` steps: the first says that
    nothing more is learnt, the second that nothing more is tried out.
    """

    def __init__(self, settings: PlateauSettings, state: dict[str, Any] | None = None) -> None:
        """Begin, or go on from a `state` that `state` gave before a run was interrupted."""
        self.settings = settings
        self.mean: list[float] = (state or {}).get("mean", [])
        self.best: list[float] = (state or {}).get("best", [])
        self.waited: int = (state or {}).get("waited", 0)

    def state(self) -> dict[str, Any]:
        """Return what to remember, as JSON."""
        return {"mean": self.mean, "best": self.best, "waited": self.waited}

    def reached(self, reward: float, spread: float) -> bool:
        """Take note of a step; whether to stop after it."""
        now, keep = [reward, spread], self.settings.smoothing
        self.mean = [keep * m + (1 - keep) * n for m, n in zip(self.mean, now, strict=True)] if self.mean else now
        gained = not self.best or any(m > b + self.settings.min_gain for m, b in zip(self.mean, self.best, strict=True))
        self.best = [max(m, b) for m, b in zip(self.mean, self.best, strict=True)] if self.best else list(self.mean)
        self.waited = 0 if gained else self.waited + 1
        return self.is_reached

    @property
    def is_reached(self) -> bool:
        """Return whether training is to stop."""
        return self.waited >= self.settings.patience
