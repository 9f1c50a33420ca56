"""What a SynthMoments scene is made of: actors, what they do, and the background. Times are seconds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from timeground.spans import Span, shifted

Array = NDArray[np.float64]

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (225, 35, 35),
    "green": (40, 185, 60),
    "blue": (45, 85, 235),
    "yellow": (245, 225, 40),
    "purple": (165, 50, 195),
    "orange": (250, 140, 25),
    "white": (245, 245, 245),
    "cyan": (50, 215, 225),
}
SHAPES = ("circle", "square", "triangle", "cross", "ring")
TURNABLE = ("square", "triangle", "cross")
"""Shapes whose rotation can be seen."""

ACTIONS = ("left", "right", "up", "down", "grow", "shrink", "blink", "turn")
"""What one actor can do by itself; `together` and `apart` take two, `visible` takes none."""

MIRRORED = {
    "left": "right",
    "right": "left",
    "up": "down",
    "down": "up",
    "grow": "shrink",
    "shrink": "grow",
    "together": "apart",
    "apart": "together",
}
"""What an action turns into when the video is played backwards; the others stay what they are."""


def is_unseen(colour: str, shape: str) -> bool:
    """Return whether a colour and a shape are kept together only for the held-out split (one pair in ten)."""
    return (3 * list(COLOURS).index(colour) + 4 * SHAPES.index(shape)) % 10 == 7


@dataclass(frozen=True)
class Act:
    """One actor doing one thing during a span."""

    action: str
    span: Span
    other: int | None = None
    """The second actor of `together` and `apart`."""


@dataclass
class Actor:
    """A coloured shape. Position and radius are in units of the frame's shorter side."""

    colour: str
    shape: str
    visible: list[Span]
    acts: list[Act] = field(default_factory=list)
    keys_s: list[float] = field(default_factory=list)
    """The times of its keyframes, between which x, y, radius and angle change linearly."""
    x: list[float] = field(default_factory=list)
    y: list[float] = field(default_factory=list)
    radius: list[float] = field(default_factory=list)
    angle: list[float] = field(default_factory=list)
    blink_half_period_s: float = 0.8

    @property
    def name(self) -> str:
        """Return how the actor is called in a sentence."""
        return f"{self.colour} {self.shape}"

    def at(self, times_s: Array) -> tuple[Array, Array, Array, Array, NDArray[np.bool_]]:
        """Return x, y, radius, angle and whether it is shown, at each of the times."""
        values = [np.interp(times_s, self.keys_s, v) for v in (self.x, self.y, self.radius, self.angle)]
        shown = np.zeros(len(times_s), dtype=bool)
        for span in self.visible:
            shown |= (times_s >= span.start_s) & (times_s < span.end_s)
        for act in self.acts:
            if act.action == "blink":
                inside = (times_s >= act.span.start_s) & (times_s < act.span.end_s)
                phase = np.floor((times_s - act.span.start_s) / self.blink_half_period_s)
                shown &= ~(inside & (phase % 2 == 0))
        return values[0], values[1], values[2], values[3], shown


@dataclass(frozen=True)
class Background:
    """A gradient between two greys, or waves that drift, under per-pixel noise."""

    low: float
    high: float
    angle: float
    waves: float
    drift_per_s: float
    noise: float


@dataclass
class Scene:
    """A whole video: who is in it, on what, for how long, at which size."""

    seed: int
    duration_s: float
    width: int
    height: int
    fps: float
    variable_frame_rate: bool
    background: Background
    actors: list[Actor]
    origin_s: float = 0.0
    """The second of a longer scene at which it begins, if it was cut out of one."""
    clock_s: float = 0.0
    """What its first moment is called in clips and rows, where it stands for a part of a longer file."""
    elsewhere: tuple[tuple[str, str], ...] = ()
    """What happens in that scene before or after it, but never in it: an action and whose."""

    def frame_times_s(self) -> Array:
        """Return the presentation time of every frame of the file: regular, or jittered and with gaps."""
        count = max(2, int(np.floor(self.duration_s * self.fps)))
        times = np.arange(count) / self.fps
        if not self.variable_frame_rate:
            return times
        rng = np.random.default_rng([self.seed, 17])
        keep = rng.random(count) > 0.35
        keep[0] = True
        return times[keep]


def cut(scene: Scene, start_s: float, end_s: float, keep_time: bool = False) -> Scene:
    """Return a part of a scene as a scene of its own. Acts may reach over its ends.

    keep_time: it is shown and told in the time of the scene that it is cut from, else in a time that begins with it.
    """
    actors = [_moved(actor, start_s, end_s) for actor in scene.actors]
    done = {(act.action, actor.name) for actor in actors for act in actor.acts}
    others = [(act.action, actor.name) for actor in scene.actors for act in actor.acts if act.other is None]
    return replace(
        scene,
        duration_s=end_s - start_s,
        actors=actors,
        origin_s=scene.origin_s + start_s,
        clock_s=scene.clock_s + start_s if keep_time else 0.0,
        elsewhere=tuple(one for one in dict.fromkeys(others) if one not in done),
    )


def _moved(actor: Actor, start_s: float, end_s: float) -> Actor:
    """Return an actor in the time of a part of its scene, with what it does in there; it may not be visible at all."""

    def inside(span: Span) -> bool:
        return span.start_s < end_s and span.end_s > start_s

    visible = shifted([span for span in actor.visible if inside(span)], -start_s)
    acts = [act for act in actor.acts if inside(act.span)]
    return replace(
        actor,
        visible=visible,
        acts=[replace(act, span=shifted([act.span], -start_s)[0]) for act in acts],
        keys_s=[key - start_s for key in actor.keys_s],
    )
