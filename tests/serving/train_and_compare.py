"""Runs a GRPO recipe; after each update the server's greedy answers and the trainer's are written side by side.

``python -m tests.serving.train_and_compare OUTPUT name=value ...``
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from timeground.train.config import load_any_recipe
from timeground.train.grpo.trainer import Trainer, set_up_run
from timeground.train.phases import prepare, start_of
from timeground.train.rollout.local import Draw, Sampler
from timeground.train.runtime.distributed import init_distributed
from timeground.train.runtime.journal import Journal
from timeground.train.runtime.run import ANEW

from tests.serving.rows import clip_rows


def main(output: str, overrides: list[str]) -> None:
    recipe = load_any_recipe("tiny-grpo", [f"output={output}", *overrides])
    (phase,) = recipe.phases
    _, processes = init_distributed()
    prepare(recipe, ANEW, processes)
    run = set_up_run(phase, ANEW, start_of(recipe, phase))
    trainer = Trainer(run)
    served = trainer.sampler
    local = Sampler(trainer.engine.module, served.encoder, trainer.settings.sampling)
    send, close = served.refresh, served.close
    compared, sent = Path(output) / "compared.jsonl", Path(output) / "sent.jsonl"

    def compare() -> None:
        trainer.engine.eval()
        lines = []
        for item in clip_rows(served.encoder.family.factor):
            found = [[group for *_, group in engine.sampled(item, Draw())] for engine in (served, local)]
            lines.append(
                [
                    [(t.ids, t.logprobs) for prompt in side for group in prompt for a in group for t in a.turns]
                    for side in found
                ]
            )
        trainer.engine.train()
        with compared.open("a") as out:
            out.write(json.dumps(lines) + "\n")

    def refresh() -> None:
        send()
        with sent.open("a") as out:
            out.write(json.dumps({"mb": served.weights.size_mb()}) + "\n")
        compare()

    def last() -> None:
        refresh()
        close()

    served.refresh, served.close = refresh, last  # type: ignore[method-assign]
    journal = Journal(run.output, recipe.steps, True)
    journal.begin(phase.name, phase.first_step, run.done)
    trainer.train(journal)
    journal.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
