"""Learning rates: those of transformers' schedulers, step by step, and what settings are refused."""

from __future__ import annotations

import pytest
import torch
from timeground.train.config import OptimizerSettings, SftSettings, load_recipe
from timeground.train.schedule import learning_rate
from transformers import get_scheduler

from timeground.errors import UserError

STEPS = 40


def ours(**settings) -> list[float]:
    return [learning_rate(OptimizerSettings(lr=0.3, **settings), step, STEPS) for step in range(1, STEPS + 1)]


def theirs(name: str, warmup_steps: int, **specific) -> list[float]:
    """Rates of transformers' scheduler of one step more, from its second on: it begins with a rate of 0."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    scheduler = get_scheduler(name, optimizer, warmup_steps, STEPS + 1, scheduler_specific_kwargs=specific)
    rates = []
    for _ in range(STEPS):
        optimizer.step()
        scheduler.step()
        rates.append(scheduler.get_last_lr()[0])
    return rates


@pytest.mark.parametrize("warmup_steps", [0, 7])
@pytest.mark.parametrize(
    ("schedule", "name"), [("constant", "constant_with_warmup"), ("linear", "linear"), ("cosine", "cosine")]
)
def test_the_rates_are_transformers(schedule, name, warmup_steps):
    expected = theirs(name, warmup_steps)
    assert ours(schedule=schedule, warmup_steps=warmup_steps) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("warmup_steps", [0, 7])
@pytest.mark.parametrize("decay_steps", [1, 10])
def test_warm_up_stable_decay_is_transformers(warmup_steps, decay_steps):
    stable = STEPS - decay_steps - warmup_steps
    specific = {"num_decay_steps": decay_steps + 1, "num_stable_steps": stable}
    expected = theirs("warmup_stable_decay", warmup_steps, **specific)
    found = ours(schedule="wsd", warmup_steps=warmup_steps, decay_steps=decay_steps)
    assert found == pytest.approx(expected, rel=1e-9)
    assert found[STEPS - decay_steps - 1] == 0.3 > found[STEPS - decay_steps] > 0


def test_the_final_ratio_is_reached_at_the_last_step():
    assert ours(schedule="wsd", decay_steps=5, final_lr_ratio=0.1)[-1] == pytest.approx(0.03)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["optimizer.schedule=wsd", "optimizer.decay_steps=null"], "needs optimizer.decay_steps"),
        (["optimizer.schedule=wsd", "optimizer.decay_steps=9", "optimizer.warmup_steps=3", "steps=10"], "10 steps"),
    ],
)
def test_schedules_that_contradict_themselves(changes, words):
    with pytest.raises(UserError, match=words):
        load_recipe(SftSettings, "tiny-sft", ["optimizer.decay_steps=5", *changes])
