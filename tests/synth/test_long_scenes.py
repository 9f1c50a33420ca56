"""Scenes of minutes and hours, strung together from short ones."""

from dataclasses import replace

import numpy as np
import pytest

from timeground.synth import render as drawing
from timeground.synth.long_scenes import FPS, PART_S, long_rows, sample_long_scene, string
from timeground.synth.render import render, render_in_chunks
from timeground.synth.rows import events_of
from timeground.synth.scene import COLOURS, SHAPES, Actor, Scene
from timeground.synth.world import sample_scene


@pytest.fixture(scope="module")
def hour() -> Scene:
    return sample_long_scene(11, 3600.0)


def actor(scene_actors: list[Actor], name: str) -> Actor:
    (found,) = [one for one in scene_actors if one.name == name]
    return found


def test_each_part_is_shown_as_it_is_alone() -> None:
    """Poses, visibility and what is done, of actors that are in both parts too."""
    size = (192, 192)
    parts = [
        (5.0, sample_scene(1, durations_s=(20, 20), size=size)),
        (40.0, sample_scene(3, durations_s=(30, 30), size=size)),
    ]
    parts[1][1].actors[0].colour, parts[1][1].actors[0].shape = (
        parts[0][1].actors[0].colour,
        parts[0][1].actors[0].shape,
    )
    strung = string(parts)
    assert len(strung) == sum(len(part.actors) for _, part in parts) - 1
    for start_s, part in parts:
        times_s = np.arange(0.0, part.duration_s, 0.1)
        for one in part.actors:
            alone, here = one.at(times_s), actor(strung, one.name).at(times_s + start_s)
            shown = alone[-1]
            assert (here[-1] == shown).mean() > 0.98  # a border may fall to either side of a frame
            for mine, theirs in zip(alone[:-1], here[:-1], strict=True):
                np.testing.assert_allclose(mine[shown], theirs[shown], atol=1e-6)


def test_nothing_is_seen_between_parts(hour: Scene) -> None:
    times_s = hour.frame_times_s()
    seen = np.any([one.at(times_s)[-1] for one in hour.actors], axis=0)
    assert 0.3 < seen.mean() < 0.8
    assert len(times_s) == round(3600 * FPS)
    for one in hour.actors:
        assert np.all(np.diff(one.keys_s) >= 0) and all(s.length_s <= PART_S[1] for s in one.visible)


def test_an_hour_asks_for_what_is_rare_repeated_and_ordered(hour: Scene) -> None:
    rows = long_rows(hour, "videos/x.mp4")
    kinds = [row.meta["kind"] for row in rows]
    assert {"single", "multi", "ordered", "absent", "yes_no"} <= set(kinds) and not {"events", "who"} & set(kinds)
    assert [row.id for row in rows] == [f"x-{number}" for number in range(len(rows))]
    spans_of = {(e.action, e.a, e.b): e.spans for e in events_of(hour)}
    told = {(row.meta.get("action"), tuple(row.spans)) for row in rows if row.meta["kind"] == "single"}
    assert told and all(any(spans == s for (a, *_), s in spans_of.items() if a == action) for action, spans in told)


def test_meetings_are_of_the_same_two(hour: Scene) -> None:
    pairs = [
        (one.name, hour.actors[act.other], act) for one in hour.actors for act in one.acts if act.other is not None
    ]
    assert pairs
    for name, other, act in pairs:
        back = [a for a in other.acts if a.span == act.span and a.action == act.action]
        assert len(back) == 1 and hour.actors[back[0].other or 0].name == name


def test_what_keeps_still_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And every frame is the one that is drawn for itself."""
    scene = sample_long_scene(4, 130.0)
    calls = []
    draw = drawing._Painter._draw

    def counted(self: object, frames: object, first: int) -> None:
        calls.append(first)
        draw(self, frames, first)  # type: ignore[arg-type]

    monkeypatch.setattr(drawing._Painter, "_draw", counted)
    times_s = scene.frame_times_s()
    frames = np.concatenate(list(render_in_chunks(scene, times_s)))
    assert len(calls) < 0.9 * len(times_s) / drawing.CHUNK
    for index in range(0, len(times_s), 13):
        np.testing.assert_array_equal(frames[index], render(scene, times_s[index : index + 1])[0])


def test_a_scene_of_a_duration_is_that_long() -> None:
    scene = sample_long_scene(9, 600.0)
    assert scene.duration_s == 600.0 and all(s.end_s <= 600.0 for one in scene.actors for s in one.visible)
    assert sample_long_scene(9, 600.0) == scene


def test_rows_are_made_where_every_name_is_there(hour: Scene) -> None:
    """In hours nearly all of them are, so that hardly one is left for a wrong option."""
    names = {actor.name for actor in hour.actors}
    everyone = [replace(hour.actors[0], colour=c, shape=s) for c in COLOURS for s in SHAPES if f"{c} {s}" not in names]
    full = replace(hour, actors=[*hour.actors, *everyone])
    rows = long_rows(full, "videos/x.mp4")
    assert all(len(row.options) == 4 for row in rows if row.options)
