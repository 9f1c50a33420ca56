"""One supervised update for each loss reduction, its loss and gradients written down; torchrun may start it too."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from deepspeed.utils import safe_get_full_grad
from timeground.train import sft
from timeground.train.config import SftSettings, load_recipe
from timeground.train.engine import leave_distributed
from timeground.train.session import Session


def main(folder: Path, overrides: list[str]) -> None:
    found = {}
    for reduction in ("token", "sequence", "square"):
        output = folder / reduction
        settings = load_recipe(SftSettings, "tiny-sft", [*overrides, f"loss_reduction={reduction}", f"output={output}"])
        session = sft.set_up_run(settings)
        found[reduction] = losses_and_gradients(session, settings)
    if session.rank == 0:
        torch.save({name: gradients for name, (_, gradients) in found.items()}, folder / "gradients.pt")
        (folder / "losses.json").write_text(json.dumps({name: loss for name, (loss, _) in found.items()}))
    leave_distributed()


def losses_and_gradients(session: Session, settings: SftSettings) -> tuple[float, dict[str, torch.Tensor]]:
    engine, gradients = session.engine, {}
    batches = sft._batches(session, settings)
    step = engine.step

    def noted_step() -> None:
        if engine.is_gradient_accumulation_boundary():
            gradients.update({n: safe_get_full_grad(p).clone() for n, p in engine.module.named_parameters()})
        step()

    engine.step = noted_step
    loss, _ = sft.update(engine, [next(batches) for _ in range(settings.micro_batches)])
    return loss, gradients


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
