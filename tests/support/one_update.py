"""One supervised update for each loss reduction, its loss and gradients written down; torchrun may start it too."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import torch
from deepspeed.utils import safe_get_full_grad
from timeground.train import sft
from timeground.train.config import load_any_recipe
from timeground.train.phases import prepare, start_of
from timeground.train.runtime.distributed import init_distributed, leave_distributed, on_first_rank
from timeground.train.runtime.run import ANEW, Run


def main(folder: Path, overrides: list[str]) -> None:
    found = {}
    for reduction in ("token", "sequence", "square"):
        output = folder / reduction
        recipe = load_any_recipe("tiny-sft", [*overrides, f"loss_reduction={reduction}", f"output={output}"])
        _, processes = init_distributed()
        on_first_rank(partial(prepare, recipe, ANEW, processes))
        run = sft.set_up_run(recipe.phases[0], ANEW, start_of(recipe, recipe.phases[0]))
        found[reduction] = losses_and_gradients(run)
    if run.rank == 0:
        torch.save({name: gradients for name, (_, gradients) in found.items()}, folder / "gradients.pt")
        (folder / "losses.json").write_text(json.dumps({name: loss for name, (loss, _) in found.items()}))
    leave_distributed()


def losses_and_gradients(run: Run) -> tuple[float, dict[str, torch.Tensor]]:
    engine, gradients = run.engine, {}
    batches = sft.batches_of(run)
    step = engine.step

    def noted_step() -> None:
        if engine.is_gradient_accumulation_boundary():
            gradients.update({n: safe_get_full_grad(p).clone() for n, p in engine.module.named_parameters()})
        step()

    engine.step = noted_step
    loss, _ = sft.update(engine, [next(batches) for _ in range(run.settings.micro_batches)])
    return loss, gradients


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
