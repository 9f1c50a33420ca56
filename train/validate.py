"""How well the model in training grounds: greedy answers, by the recipe's method, about videos kept from training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from timeground.data.rows import Row
from timeground.media.clip import Clip
from timeground.media.video import Video
from timeground.methods import load_method
from timeground.models.local.model import LocalModel
from timeground.scoring import first_iou, whole_iou
from timeground.synth.frames import scene_clip, scene_seed
from timeground.synth.rows import make_rows
from timeground.synth.world import sample_scene

from .data.sources import REJECTED, RowSource, pass_order
from .runtime import memory
from .runtime.distributed import sum_over_ranks
from .runtime.journal import Journal
from .runtime.run import Run


class Validation:
    """Scores a run now and then, and keeps the best model in the run's folder ``best``.

    On the rows of `data.validation_rows` where the recipe names a file, else on SynthMoments' validation split.
    Videos are dealt out to the processes.
    """

    def __init__(self, run: Run) -> None:
        self.run, self.settings = run, run.settings
        self.model = LocalModel(run.loaded)
        self.method = load_method(run.settings.method)
        self.best: float = run.state.get("best") or 0.0

    def due(self, step: int, last: bool = False) -> bool:
        """Return whether this step is one of those at which the recipe wants it, or the last."""
        every = self.settings.validate_every
        return bool(every) and (last or step % every == 0 or step == self.settings.steps)

    def catch_up(self, journal: Journal) -> None:
        """Validate at the step that a run goes on from, if it was stopped between saving that step and validating."""
        if self.run.done and self.run.state.get("validated") is False:
            self._validate(self.run.done, journal, self.run.state)

    def save_and_validate(self, step: int, journal: Journal, state: dict[str, Any], last: bool = False) -> None:
        """End a step: save it if it is to be saved, and validate if that is due.

        It is saved before, for whatever goes wrong while validating. state: what the loop itself remembers.
        """
        due = self.due(step, last)
        self.run.save(step, {**state, "best": self.best, "validated": not due}, always=last or due)
        if due:
            self._validate(step, journal, state)

    def _validate(self, step: int, journal: Journal, state: dict[str, Any]) -> None:
        with memory.whole_weights(self.run.engine), torch.compiler.set_stance("force_eager"):
            self.run.engine.eval()
            found = self.score()
            self.run.engine.train()
        journal.note(step, found)
        if found["validation_miou"] > self.best:
            self.best = found["validation_miou"]
            self.run.export(self.run.output / "best")
        self.run.remember(step, {**state, "best": self.best, "validated": True})

    def score(self) -> dict[str, Any]:
        """Return the strict protocol's mIoU, R1@0.5 and set IoU, as evaluation defines them, over all queries."""
        sums = torch.zeros(4, dtype=torch.float64, device=self.run.engine.device)
        for clip, rows in self._clips():
            if not rows:
                continue  # nothing is asked for spans in it
            outcomes = self.method.answer(self.model, Video.of(clip), rows)
            for row, outcome in zip(rows, outcomes, strict=True):
                said = outcome.answer
                iou = first_iou(said, row.spans)
                sums += torch.tensor([iou, float(iou >= 0.5), whole_iou(said, row.spans), 1.0], dtype=torch.float64)
        total_iou, hits, total_set_iou, queries = sum_over_ranks(sums).tolist()
        return {
            "validation_miou": total_iou / max(1.0, queries),
            "validation_r1_0.5": hits / max(1.0, queries),
            "validation_set_iou": total_set_iou / max(1.0, queries),
            "validation_queries": int(queries),
        }

    def _clips(self) -> Iterator[tuple[Clip, list[Row]]]:
        data, run = self.settings.data, self.run
        numbers = range(run.rank, self.settings.validate_videos, run.world)
        if data.validation_rows is None:
            for index in numbers:
                seed, wanted = scene_seed("validation", self.settings.seed, index), data.validation_scenes
                scene = sample_scene(seed, durations_s=wanted.durations_s, level=wanted.level)
                rows = [r for r in make_rows(scene, "validation.mp4") if r.meta["kind"] == "single"]
                yield scene_clip(scene, self.model.sampling()), rows
            return
        held_out = data.model_copy(update={"rows": data.validation_rows})
        rejected = Path(self.settings.output) / REJECTED
        source = RowSource(held_out, self.model.sampling(), 1, self.settings.seed, rejected)
        order = pass_order(self.settings.seed, 0, len(source.groups))[: self.settings.validate_videos]
        for place in order[run.rank :: run.world]:
            item = source.tried(source.groups[place], lambda item: item)
            if item is not None:
                yield item.clip, [row for row in item.rows if row.task == "ground"]
