"""Warnings before a run begins: models that know nothing of some videos, and audits whose weights do not fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from timeground.chat.profile import Profile
from timeground.errors import UserError
from timeground.media.containers.container import made_by
from timeground.media.containers.tag import SYNTH
from timeground.models.knowledge import checkpoint_knows, warning

from .asking import refusal
from .item import Item
from .recipe import Recipe
from .stages import Audit, Ground


def toy_warnings(recipe: Recipe, items: Sequence[Item]) -> list[str]:
    """Return a line for each model of the run that knows nothing of some of its videos.

    Raise UserError at the first such video unless the recipe allows it. Models behind a URL are looked at when they are
    opened; a video that cannot be read is left to the stage that reads it.
    """
    asked = {name for stage in recipe.stages for name in stage.models()}
    names = sorted({recipe.models[name].name for name in asked})
    toys = [name for name in names if checkpoint_knows(name) is not None]
    if not toys:
        return []
    real = list(_real_videos(recipe, items, only_first=not recipe.allow_toy_model))
    if not real:
        return []
    lines = [str(warning(name, Profile(knows=SYNTH), "")) for name in toys]
    if not recipe.allow_toy_model:
        raise UserError(refusal(real[0], lines[0]))
    return [f"{len(real)} of {len(items)} videos: {line}" for line in lines]


def unfitted_warnings(recipe: Recipe) -> list[str]:
    """Return a line for each audit that weighs answers of models for which its weights were not fitted."""
    lines = []
    for number, stage in enumerate(recipe.stages):
        if not isinstance(stage, Audit):
            continue
        if unfitted := [name for name in weighed_models(recipe, number) if not stage.weights.are_for(name)]:
            fitted_for = ", ".join(stage.weights.fitted_for) or "no model by name (fitted_for)"
            lines.append(
                f"stages.{number} (audit) weighs the answers of {', '.join(unfitted)} with weights fitted for "
                f"{fitted_for}, so its probabilities are unfitted; fit your own with "
                f"python -m benchmarks.audit_weights and give them as stages.{number}.weights"
            )
    return lines


def weighed_models(recipe: Recipe, number: int) -> list[str]:
    """Return the models whose answers an audit weighs: those of the last passes before it, and its judge."""
    audit, passes = recipe.stages[number], [one for one in recipe.stages[:number] if isinstance(one, Ground)]
    asked = set(passes[-1].models()) if passes else set()
    if isinstance(audit, Audit) and "there" in audit.questions:
        asked.add(audit.model)
    return sorted({recipe.models[name].name for name in asked})


def _real_videos(recipe: Recipe, items: Sequence[Item], only_first: bool) -> Iterator[str]:
    """Yield the videos that carry no tag of a rendered world."""
    for item in items:
        try:
            tag = made_by(Path(recipe.input.videos) / item.video)
        except UserError:
            continue
        if not tag:
            yield item.video
            if only_first:
                return
