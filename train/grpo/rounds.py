"""Rounds by difficulty: the rows that the model now half masters are kept, as ArrowGEV and Time-R1 do."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.files.whole_files import write_text

from .. import engine as engines
from ..session import Session
from ..sources import ClipRows, RowSource, Source
from .rollout import RolloutEngine
from .scoring import plain_ious
from .settings import RefilterSettings


class Rounds:
    """At the beginning of each round every row is answered, and those with ``low < mean IoU <= high`` are kept.

    The choice of a round is written to ``rounds/round-<n>.json`` in the run's folder, and read from there when a
    run goes on. The first round trains on all rows.
    """

    def __init__(self, settings: RefilterSettings, source: Source, sampler: RolloutEngine, session: Session) -> None:
        assert isinstance(source, RowSource)
        self.settings, self.source, self.sampler, self.session = settings, source, sampler, session
        self.all_rows = source.rows
        self.folder = session.output / "rounds"

    def begins(self, step: int) -> bool:
        """Whether a round begins with this step (from 1)."""
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

        engines.on_first_rank(lambda: write_text(file, json.dumps({"kept": kept, "mean_iou": ious})))

    def _measure(self, number: int) -> dict[str, float]:
        """Mean IoU of sampled answers to each row, measured by all processes together."""
        session = self.session
        mine: dict[int, float] = {}
        places = {row.id: place for place, row in enumerate(self.all_rows)}
        self.source.use(self.all_rows)
        with engines.whole_weights(session.engine):
            session.engine.eval()
            for group in self.source.groups[session.rank :: session.world]:
                for row, iou in self._answered(group, number):
                    mine[places[row.id]] = iou
            session.engine.train()
        ious = torch.full((len(self.all_rows),), 0.0, dtype=torch.float64)
        for place, iou in mine.items():
            ious[place] = iou + 1  # 0 stands for a row that could not be read
        whole = engines.sum_over_ranks(ious.to(session.engine.device)).tolist()
        return {row.id: value - 1 for row, value in zip(self.all_rows, whole, strict=True) if value}

    def _encodable(self, item: ClipRows) -> ClipRows:
        self.sampler.encoder.asked(item)
        return item

    def _answered(self, rows: list[Row], number: int) -> list[tuple[Row, float]]:
        item = self.source.tried(rows, self._encodable)
        if item is None:
            return []
        seed = [self.session.settings.seed, number, *rows[0].id.encode()]
        return [
            (row, float(iou))
            for rollout in self.sampler.forward_groups(item, seed)
            for row, iou in zip(rollout.rows, plain_ious(rollout).mean(dim=1), strict=True)
        ]


def keep(ious: dict[str, float], settings: RefilterSettings) -> list[str]:
    """Ids of the rows to keep; of too many, evenly spaced ones along the list sorted by IoU."""
    fit = sorted((iou, name) for name, iou in ious.items() if settings.low < iou <= settings.high)
    if len(fit) > settings.max_rows:
        step = (len(fit) - 1) / max(1, settings.max_rows - 1)
        fit = [fit[round(i * step)] for i in range(settings.max_rows)]
    return [name for _, name in fit]
