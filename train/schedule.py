"""Learning-rate schedules, as functions of the step's number alone, so that a run resumes exactly.

Each begins with a linear warm-up. The rates are those of transformers' schedulers of the same name for one step more
than the run has, since steps are counted from 1 here: the last step learns something too.
"""

from __future__ import annotations

import math

from .config import OptimizerSettings


def learning_rate(settings: OptimizerSettings, step: int, steps: int) -> float:
    """Return the rate of a step (from 1) of a run of so many steps; it is never 0."""
    if step <= settings.warmup_steps:
        return settings.lr * step / settings.warmup_steps
    share = _share(settings, step, steps)
    if share == 1:
        return settings.lr
    return settings.lr * (settings.final_lr_ratio + (1 - settings.final_lr_ratio) * share)


def _share(settings: OptimizerSettings, step: int, steps: int) -> float:
    """Return how much of the way from the full rate down to the final one is left, 1 to 0."""
    decay_steps = settings.decay_steps or max(1, steps - settings.warmup_steps)
    if settings.schedule == "constant" or step <= steps - decay_steps:
        return 1.0
    later = int(settings.final_lr_ratio == 0)  # 0 is reached after the last step: at 0 it would learn nothing
    left = (steps + later - step) / (decay_steps + later)
    return left if settings.schedule == "linear" else 0.5 * (1 - math.cos(math.pi * left))
