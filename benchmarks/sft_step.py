"""A supervised step of the bundled model's recipe: packed and compiled, packed, and an answer a row.

``python -m benchmarks.sft_step``. All sides train the same model on the same clips and answers, each by steps of the
recipe's optimizer: `compiled` is what the recipe does, `packed` the same without torch.compile, `plain` gives each
answer a row of its own with the whole prompt, as trainers without shared prefixes do. Rendering is left out.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from timeground.train.config import Phase, load_any_recipe
from timeground.train.data.batches import Batch, pack
from timeground.train.data.render import ClipRows, Encoder
from timeground.train.data.sources import make_source
from timeground.train.fresh import make_fresh_model
from timeground.train.model import compile_layers
from timeground.train.optimizers import make_optimizer
from timeground.train.sft import SftModel

from benchmarks.common import print_result, time_alternating, versions
from timeground.chat.profile import Profile
from timeground.models.loading import Loaded, load


def clips(phase: Phase, loaded: Loaded, micro_batches: Sequence[int]) -> list[list[ClipRows]]:
    """Return the clips of some micro-batches of a phase."""
    settings, sampling = phase.settings, loaded.checkpoint.sampling
    source = make_source(settings.data, sampling, settings.videos_per_micro_batch, 0, Path(tempfile.gettempdir()))
    return [source.made(number, lambda item: item) for number in micro_batches]


def batches(encoder: Encoder, made: list[list[ClipRows]], apart: bool) -> list[Batch]:
    """Return micro-batches. apart: each answer has a row of its own."""
    ids, found = encoder.family.visual_ids, []
    for items in made:
        if apart:
            items = [ClipRows(i.clip, [row], i.as_images, i.snap, i.tools, i.leads) for i in items for row in i.rows]
        found.append(pack([example for item in items for example in encoder.supervised(item)], ids))
    return found


def steps(model: SftModel, phase: Phase, some: list[Batch]) -> Callable[[], None]:
    """Return what takes a step on each micro-batch."""
    optimizer = make_optimizer(model, phase.settings.optimizer, phase.settings.engine)

    def run() -> None:
        for batch in some:
            loss = model(batch)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    return run


def main() -> None:
    """Time the sides in turn and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phase", type=int, default=3, help="of the recipe, from 0")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    recipe = load_any_recipe("tiny")
    phase, fresh = recipe.phases[args.phase], recipe.phases[0].settings.model
    assert fresh.fresh is not None
    with tempfile.TemporaryDirectory() as folder:
        make_fresh_model(Path(folder) / "model", fresh.fresh, Profile().with_changes(fresh.profile), 0, fresh.shape)
        loaded = load(str(Path(folder) / "model"), dtype="float32")
        made = clips(phase, loaded, range(0, 2 * args.steps, 2))
        checkpoint = loaded.checkpoint
        encoder = Encoder(checkpoint.builder, checkpoint.family, checkpoint.profile, "square", finds_frames=True)
        model_of = partial(SftModel, settings=phase.settings.model, autocast=True)
        sides = {}
        for name in ("compiled", "packed", "plain"):
            own = Loaded(checkpoint, copy.deepcopy(loaded.model))
            if name == "compiled":
                compile_layers(own.model)
            sides[name] = steps(model_of(own).train(), phase, batches(encoder, made, apart=name == "plain"))
        times = time_alternating(sides, args.repeats)
    seconds = {name: timing.wall_s / args.steps for name, timing in times.items()}
    print_result(
        "sft_step",
        seconds["plain"] / seconds["compiled"],
        seconds["compiled"],
        seconds["plain"],
        packed_s=round(seconds["packed"], 3),
        cpu_s={name: round(timing.cpu_s / args.steps, 3) for name, timing in times.items()},
        versions=versions("torch", "transformers"),
    )


if __name__ == "__main__":
    main()
