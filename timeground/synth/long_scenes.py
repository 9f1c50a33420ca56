"""Scenes of minutes and hours: short ones strung together over one background, with empty stretches between them.

Whoever has the same name in several parts is one actor, so that what it does is rare, or repeated, or comes before or
after something else in the whole video, and every truth is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from timeground.data.rows import Row
from timeground.spans import Span, shifted
from timeground.synth.rows import make_rows, numbered
from timeground.synth.scene import Act, Actor, Background, Scene
from timeground.synth.world import SIZES, sample_scene

LONG_S = 120.0
"""From here on a video is strung together."""
LONGEST_S = 6 * 3600.0
PART_S = (12.0, 40.0)
EMPTY_S = (4.0, 40.0)
"""How long nothing is to be seen between two parts; at least as long as a keyframe needs to stand before a part."""
FPS = 10.0
_ABOUT_ALL = ("events", "who")
"""Kinds of rows whose answer would list hundreds of things."""


def sample_long_scene(seed: int, duration_s: float, *, unseen: bool = False) -> Scene:
    """Return the scene of a seed, this long. unseen: its parts show held-out colours and shapes, as `sample_scene`'s.

    The background keeps still and has no noise: a file of an hour stays small, and what is still is drawn once.
    """
    rng = np.random.default_rng([seed, int(unseen), 29])
    size = SIZES[rng.choice(3)]
    low, high = sorted(rng.uniform(0.05, 0.5, 2))
    background = Background(float(low), float(high), float(rng.uniform(0, 2 * np.pi)), 0.0, 0.0, 0.0)
    parts: list[tuple[float, Scene]] = []
    at = float(np.round(rng.uniform(*EMPTY_S) / 2, 1))
    while at + PART_S[0] + EMPTY_S[0] <= duration_s:
        longest = min(PART_S[1], duration_s - at - EMPTY_S[0])
        part = sample_scene(int(rng.integers(2**62)), unseen=unseen, durations_s=(PART_S[0], longest), size=size)
        parts.append((at, part))
        at = float(np.round(at + part.duration_s + rng.uniform(*EMPTY_S), 1))
    width, height = size
    return Scene(seed, float(duration_s), width, height, FPS, False, background, string(parts))


def string(parts: Sequence[tuple[float, Scene]]) -> list[Actor]:
    """Return the actors of scenes that begin at these seconds, one after the other; equal names are one actor."""
    number: dict[str, int] = {}
    for _, part in parts:
        for actor in part.actors:
            number.setdefault(actor.name, len(number))
    found: dict[str, Actor] = {}
    for start_s, part in parts:
        others = [number[actor.name] for actor in part.actors]
        for actor in part.actors:
            later = _later(actor, start_s, part.duration_s, others)
            found[actor.name] = _joined(found[actor.name], later) if actor.name in found else later
    return [found[name] for name in number]


def long_rows(scene: Scene, video: str) -> list[Row]:
    """Return the rows of a long scene: those of `make_rows` that do not list all that is in it."""
    rows = [row for row in make_rows(scene, video) if row.meta["kind"] not in _ABOUT_ALL]
    return numbered(rows, video)


def _later(actor: Actor, start_s: float, duration_s: float, others: Sequence[int]) -> Actor:
    """Return an actor of a part in the time of the whole, holding its last pose until the part ends."""

    def moved(act: Act) -> Act:
        return Act(act.action, shifted([act.span], start_s)[0], None if act.other is None else others[act.other])

    visible = [Span(s.start_s, min(s.end_s, start_s + duration_s)) for s in shifted(actor.visible, start_s)]
    x, y, radius, angle = ([*values, values[-1]] for values in (actor.x, actor.y, actor.radius, actor.angle))
    keys_s = [key + start_s for key in (*actor.keys_s, max(duration_s, actor.keys_s[-1]))]
    acts = [moved(act) for act in actor.acts]
    return replace(actor, visible=visible, acts=acts, keys_s=keys_s, x=x, y=y, radius=radius, angle=angle)


def _joined(first: Actor, second: Actor) -> Actor:
    """Return one actor that does what both do, the second later than the first."""
    return replace(
        first,
        visible=first.visible + second.visible,
        acts=first.acts + second.acts,
        keys_s=first.keys_s + second.keys_s,
        x=first.x + second.x,
        y=first.y + second.y,
        radius=first.radius + second.radius,
        angle=first.angle + second.angle,
    )
