"""Draws a SynthMoments scene from a seed: who appears when and does what, with room between the acts."""

from __future__ import annotations

from typing import Literal

import numpy as np

from timeground.spans import Span
from timeground.synth.scene import (
    ACTIONS,
    COLOURS,
    MIRRORED,
    SHAPES,
    TURNABLE,
    Act,
    Actor,
    Background,
    Scene,
    is_unseen,
)

Level = Literal["still", "coming", "acting", "full"]
SIZES = ((192, 192), (240, 192), (192, 240))
FRAME_RATES = (12.0, 15.0, 24.0, 25.0, 30000 / 1001, 30.0)
SHORTEST_ACT_S = 2.0
GAP_S = 1.5
"""Two acts of one actor are at least this far apart, so that their borders can be seen."""


def sample_scene(
    seed: int,
    *,
    unseen: bool = False,
    durations_s: tuple[float, float] = (8.0, 60.0),
    size: tuple[int, int] | None = None,
    level: Level = "full",
) -> Scene:
    """Return the scene of a seed.

    unseen: the first actor is a colour and shape that never stand together in other scenes.
    durations_s: between which the duration is drawn, evenly in its logarithm. size: width and height, else drawn.
    level: `full`, or easier scenes to begin a training with: `still` shows one actor all the time, in `coming`
    two or more come and go once and do nothing else, in `acting` one or two are there all the time and do one thing.
    """
    rng = np.random.default_rng([seed, int(unseen)])
    duration_s = float(np.round(np.exp(rng.uniform(*np.log(durations_s))), 2))
    width, height = size or SIZES[rng.choice(3, p=[0.4, 0.3, 0.3])]
    scene = Scene(
        seed=seed,
        duration_s=duration_s,
        width=width,
        height=height,
        fps=float(rng.choice(FRAME_RATES)),
        variable_frame_rate=bool(rng.random() < 0.15),
        background=_sample_background(rng),
        actors=[],
    )
    for name in _sample_names(rng, _sample_count(duration_s, rng, level), unseen):
        _add_actor(scene, name, rng, level)
    if level == "full" and rng.random() < 0.35 and duration_s > 10:
        _add_meeting(scene, rng)
    return scene


def _sample_count(duration_s: float, rng: np.random.Generator, level: Level) -> int:
    if level == "still":
        return 1
    if level == "acting":
        return int(rng.integers(1, 3))
    return int(rng.integers(2, 4 + (duration_s > 20) + (duration_s > 40)))


def _sample_background(rng: np.random.Generator) -> Background:
    low, high = sorted(rng.uniform(0.05, 0.5, 2))
    return Background(
        low=float(low),
        high=float(high),
        angle=float(rng.uniform(0, 2 * np.pi)),
        waves=float(rng.choice([0.0, rng.uniform(0.5, 2.5)])),
        drift_per_s=float(rng.uniform(-0.3, 0.3)),
        noise=float(rng.choice([0.0, rng.uniform(0.01, 0.05)])),
    )


def _sample_names(rng: np.random.Generator, count: int, unseen: bool) -> list[tuple[str, str]]:
    pairs = [(colour, shape) for colour in COLOURS for shape in SHAPES]
    seen = [p for p in pairs if not is_unseen(*p)]
    names = [seen[i] for i in rng.choice(len(seen), count, replace=False)]
    if rng.random() < 0.5 and count > 1:  # a distractor that shares the first one's colour or shape
        alike = [p for p in seen if p not in names and (p[0] == names[0][0]) != (p[1] == names[0][1])]
        names[1] = alike[rng.integers(len(alike))]
    if unseen:
        held_out = [p for p in pairs if is_unseen(*p)]
        names[0] = held_out[rng.integers(len(held_out))]
    return names


def _add_actor(scene: Scene, name: tuple[str, str], rng: np.random.Generator, level: Level) -> None:
    """Add an actor that does not stand in another's way, or nothing where no try finds room."""
    for _ in range(12):
        actor = _sample_actor(scene, name, rng, level)
        if all(_keeps_clear(scene, actor, other) for other in scene.actors):
            scene.actors.append(actor)
            return


def _sample_actor(scene: Scene, name: tuple[str, str], rng: np.random.Generator, level: Level) -> Actor:
    visible = _sample_visible(scene.duration_s, rng, level)
    actor = Actor(colour=name[0], shape=name[1], visible=visible)
    actor.blink_half_period_s = float(rng.uniform(0.7, 1.1))
    slots: list[Span] = []
    if level == "acting":
        slots = [_sample_stretch(scene.duration_s, rng)]
    elif level == "full":
        slots = [slot for span in actor.visible for slot in _sample_slots(span, rng)]
    choices = [a for a in ACTIONS if a != "turn" or actor.shape in TURNABLE]
    repeated = str(rng.choice(choices)) if rng.random() < 0.3 else None
    for slot in slots:
        actor.acts.append(Act(repeated or str(rng.choice(choices)), slot))
    _lay_out(actor, scene.width / scene.height, rng)
    return actor


def _sample_visible(duration_s: float, rng: np.random.Generator, level: Level) -> list[Span]:
    """Return all the time, one stretch, or two stretches."""
    kind = rng.random()
    if level in ("still", "acting") or (level == "full" and kind < 0.35):
        return [Span(0.0, duration_s)]
    if level == "coming" or kind < 0.85 or duration_s < 14:
        return [_sample_stretch(duration_s, rng)]
    cuts = np.sort(rng.uniform(0.0, duration_s - 3 * GAP_S - 4.0, 4))
    start_a, end_a, start_b, end_b = cuts + np.array([0.0, 2.0, 2.0 + 2 * GAP_S, 4.0 + 2 * GAP_S])
    return [Span(_tenth(start_a), _tenth(end_a)), Span(_tenth(start_b), _tenth(end_b))]


def _sample_stretch(duration_s: float, rng: np.random.Generator) -> Span:
    length = rng.uniform(0.25, 0.85) * duration_s
    start = rng.uniform(0, duration_s - length)
    return Span(_tenth(start), _tenth(start + length))


def _sample_slots(visible: Span, rng: np.random.Generator) -> list[Span]:
    """Return up to three spans inside a visible stretch, apart from each other and from its ends."""
    room = visible.end_s - visible.start_s - GAP_S
    wanted = int(rng.integers(1, 4)) if room > 10 else int(rng.integers(0, 3))
    slots: list[Span] = []
    at = visible.start_s + GAP_S
    for left in range(wanted, 0, -1):
        budget = visible.end_s - at - left * GAP_S
        if budget < left * SHORTEST_ACT_S:
            break
        length = rng.uniform(SHORTEST_ACT_S, min(12.0, max(SHORTEST_ACT_S, budget / left)))
        start = at + rng.uniform(0, max(0.0, (budget - left * length) / left))
        slots.append(Span(_tenth(start), _tenth(start + length)))
        at = slots[-1].end_s + GAP_S
    return slots


def _lay_out(actor: Actor, aspect: float, rng: np.random.Generator) -> None:
    """Turn the acts into keyframes. A move that would leave the frame is replaced by its opposite or blink."""
    radius = float(rng.uniform(0.14, 0.2))
    margin = 0.2
    x, y = float(rng.uniform(margin, aspect - margin)), float(rng.uniform(margin, 1 - margin))
    angle = float(rng.uniform(0, 2 * np.pi)) if actor.shape in TURNABLE else 0.0
    keys = [(-1.0, x, y, radius, angle)]
    for i, act in enumerate(actor.acts):
        act = actor.acts[i] = _fit(act, x, y, radius, aspect, margin)
        before = (act.span.start_s, x, y, radius, angle)
        length = act.span.end_s - act.span.start_s
        room = {"left": x - margin, "right": aspect - margin - x, "up": y - margin, "down": 1 - margin - y}
        if act.action in room:
            step = min(room[act.action], float(rng.uniform(0.35, 0.7)))
            x += {"left": -step, "right": step}.get(act.action, 0.0)
            y += {"up": -step, "down": step}.get(act.action, 0.0)
        elif act.action in ("grow", "shrink"):
            radius *= 1.6 if act.action == "grow" else 1 / 1.6
        elif act.action == "turn":
            angle += length * float(rng.uniform(1.0, 1.9)) * (1 if rng.random() < 0.5 else -1)
        keys += [before, (act.span.end_s, x, y, radius, angle)]
    actor.keys_s, actor.x, actor.y, actor.radius, actor.angle = (list(v) for v in zip(*keys, strict=True))


def _fit(act: Act, x: float, y: float, radius: float, aspect: float, margin: float) -> Act:
    """Return the act, or one that fits where it cannot be done: too near the border, too large, too small."""
    room = {"left": x - margin, "right": aspect - margin - x, "up": y - margin, "down": 1 - margin - y}
    if act.action in room and room[act.action] < 0.3:
        return Act(MIRRORED[act.action] if room[MIRRORED[act.action]] >= 0.3 else "blink", act.span)
    if (act.action == "grow" and radius > 0.205) or (act.action == "shrink" and radius < 0.13):
        return Act(MIRRORED[act.action], act.span)
    return act


def _add_meeting(scene: Scene, rng: np.random.Generator) -> None:
    """Add two actors that come together, and perhaps move apart again later."""
    taken = {(a.colour, a.shape) for a in scene.actors}
    free = [(c, s) for c in COLOURS for s in SHAPES if (c, s) not in taken and not is_unseen(c, s)]
    names = [free[i] for i in rng.choice(len(free), 2, replace=False)]
    for _ in range(12):
        first, second = _sample_meeting(scene, names, rng)
        if all(_keeps_clear(scene, a, other) for a in (first, second) for other in scene.actors):
            scene.actors += [first, second]
            return


def _sample_meeting(scene: Scene, names: list[tuple[str, str]], rng: np.random.Generator) -> tuple[Actor, Actor]:
    duration, aspect, index = scene.duration_s, scene.width / scene.height, len(scene.actors)
    length = rng.uniform(2.0, min(6.0, (duration - 5) / 2))
    start = rng.uniform(GAP_S, duration - 2 * length - 3.0)
    acts = [Act("together", Span(_tenth(start), _tenth(start + length)))]
    back = rng.uniform(start + length + GAP_S, duration - length - 1.0)
    if rng.random() < 0.5:
        acts.append(Act("apart", Span(_tenth(back), _tenth(back + length))))
    if rng.random() < 0.3:  # the other way round: they stand together and part
        acts = [Act("apart", acts[0].span)]
    radius, y = float(rng.uniform(0.1, 0.13)), float(rng.uniform(0.2, 0.8))
    near, room = radius + 0.01, aspect / 2 - radius - 0.02
    far = float(rng.uniform(0.85, 1.0)) * min(0.45, room)
    actors = []
    for side, (colour, shape) in zip((-1, 1), names, strict=True):
        actor = Actor(colour, shape, [Span(0.0, duration)])
        other = index + (1 if side < 0 else 0)
        actor.acts = [Act(a.action, a.span, other) for a in acts]
        keys = [(-1.0, far if acts[0].action == "together" else near)]
        for act in acts:
            keys += [(act.span.start_s, keys[-1][1])]
            keys += [(act.span.end_s, near if act.action == "together" else far)]
        actor.keys_s = [k for k, _ in keys]
        actor.x = [aspect / 2 + side * d for _, d in keys]
        actor.y, actor.radius, actor.angle = ([v] * len(keys) for v in (y, radius, 0.0))
        actors.append(actor)
    return actors[0], actors[1]


def _keeps_clear(scene: Scene, actor: Actor, other: Actor) -> bool:
    """Return whether two actors stay apart while both are shown (checked twice a second)."""
    times = np.arange(0.0, scene.duration_s, 0.5)
    xa, ya, ra, _, _ = actor.at(times)
    xb, yb, rb, _, _ = other.at(times)
    both = np.ones(len(times), dtype=bool)
    for who in (actor, other):
        both &= np.any([(times >= s.start_s) & (times < s.end_s) for s in who.visible], axis=0)
    return bool(np.all((np.hypot(xa - xb, ya - yb) > 0.9 * (ra + rb))[both]))


def _tenth(seconds: float) -> float:
    """Return a moment on a tenth of a second, which is what an answer can say."""
    return float(np.round(seconds, 1))
