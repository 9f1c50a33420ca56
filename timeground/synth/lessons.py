"""Rows that a dataset does not have: where something is, what happens in a part of a longer scene and what does not."""

from __future__ import annotations

import numpy as np

from timeground.data.rows import Row
from timeground.synth.language import PHRASES, sentence
from timeground.synth.rows import MARGIN_S, Event, absent_event, events_of, grounding_row, numbered, scene_row, told
from timeground.synth.scene import Scene


def lesson_rows(scene: Scene, video: str, first: int) -> list[Row]:
    """Return the lessons of a scene, in a fixed order. first: the number in the first one's id."""
    rng = np.random.default_rng([scene.seed, 29, round(10 * scene.origin_s)])
    events = events_of(scene)
    rows = [row for _ in range(3) if (row := _where_row(scene, rng)) is not None]
    rows += [grounding_row(scene, Event(action, name, "", ()), rng, []) for action, name in scene.elsewhere]
    rows += [_happens_row(scene, event, "yes", rng) for event in events if event.is_clear]
    denied = [Event(action, name, "", ()) for action, name in scene.elsewhere]
    while len(denied) < max(2, len(rows) // 3):
        denied.append(absent_event(scene, events, rng))
    rows += [_happens_row(scene, event, "no", rng) for event in denied]
    return numbered(rows, video, first)


def _where_row(scene: Scene, rng: np.random.Generator) -> Row | None:
    """Return where an actor is at one moment, in tenths of the frame; None where nobody can be seen.

    Whoever knows where a shape is from moment to moment sees how it moves.
    """
    for _ in range(20):
        actor = scene.actors[rng.integers(len(scene.actors))]
        time_s = float(np.round(rng.uniform(0.0, scene.duration_s - 0.2), 1))
        if any(s.start_s + MARGIN_S < time_s < s.end_s - MARGIN_S for s in actor.visible):
            break
    else:
        return None
    x, y, *_ = (float(values[0]) for values in actor.at(np.array([time_s])))
    across, down = (int(np.clip(10 * part, 0, 9)) for part in (x / (scene.width / scene.height), y))
    question = f"Where is the {actor.name} at {told(scene, time_s)} seconds?"
    return scene_row(scene, "", [], "where", question=question, answer=f"{across} across, {down} down")


def _happens_row(scene: Scene, event: Event, answer: str, rng: np.random.Generator) -> Row:
    """Return whether an event happens anywhere in what is shown."""
    query = sentence(event.action, int(rng.integers(len(PHRASES[event.action]))), event.a, event.b)
    row = scene_row(scene, query, event.spans, "happens", question=f"Does this happen: {query}?", answer=answer)
    row.meta["action"] = event.action
    return row
