"""Models that know rendered shapes only, and the videos of a run of which they know nothing."""

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


def toy_warnings(recipe: Recipe, items: Sequence[Item]) -> list[str]:
    """A line for each model of the run that knows nothing of some of its videos.

    UserError at the first such video unless the recipe allows it. Models behind a URL are looked at when they are
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
    told = [str(warning(name, Profile(knows=SYNTH), "")) for name in toys]
    if not recipe.allow_toy_model:
        raise UserError(refusal(real[0], told[0]))
    return [f"{len(real)} of {len(items)} videos: {line}" for line in told]


def _real_videos(recipe: Recipe, items: Sequence[Item], only_first: bool) -> Iterator[str]:
    """Videos that carry no tag of a rendered world."""
    for item in items:
        try:
            tag = made_by(Path(recipe.input.videos) / item.video)
        except UserError:
            continue
        if not tag:
            yield item.video
            if only_first:
                return
