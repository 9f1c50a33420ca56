"""The renderer draws what the plain one does, in a third of the time, and writes files with frames out of order."""

from __future__ import annotations

import av
import numpy as np
import pytest
from av.video.frame import PictureType
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import plain_render
from timeground.media.decode import probe
from timeground.spans import Span
from timeground.synth.files import write_video
from timeground.synth.frames import scene_seed
from timeground.synth.render import CHUNK, render, render_in_chunks
from timeground.synth.scene import COLOURS, SHAPES, Actor, Background, Scene, cut
from timeground.synth.world import sample_scene


def differences(scene: Scene, times_s: np.ndarray, *size: int) -> np.ndarray:
    """How far each value is from the plain renderer's, in levels."""
    plain = plain_render.render(scene, times_s, *size).transpose(0, 3, 1, 2)
    return np.abs(render(scene, times_s, *size).astype(np.int16) - plain)


@pytest.mark.parametrize("index", range(16))
def test_frames_are_those_of_the_plain_renderer(index):
    """At most one level apart, and nearly nowhere; at the file's size, smaller and larger, and in a part of a scene."""
    scene = sample_scene(scene_seed("held_out", 0, index), unseen=True)
    times_s = scene.frame_times_s()[:: max(1, len(scene.frame_times_s()) // 60)]
    part = cut(scene, 2.0, 6.5)
    for off in (
        differences(scene, times_s),
        differences(scene, times_s[:20], 64, 96),
        differences(scene, times_s[:5], 300, 280),
        differences(part, np.arange(0, 4.5, 0.25), 160, 128),
    ):
        assert off.max() <= 1 and (off > 0).mean() < 1e-4


numbers = st.floats(0, 1)


@settings(deadline=None)
@given(
    shape=st.sampled_from(SHAPES),
    colour=st.sampled_from(list(COLOURS)),
    places=st.tuples(st.floats(-0.5, 2), st.floats(-0.5, 1.5)),
    radius=st.floats(0.01, 0.6),
    angle=st.floats(-7, 7),
    back=st.tuples(numbers, numbers, st.floats(0, 6.3), st.sampled_from([0.0, 1.7]), st.sampled_from([0.0, 0.05, 0.4])),
)
def test_any_actor_on_any_background(shape, colour, places, radius, angle, back):
    """At borders, outside, turned; backgrounds that reach past black and white."""
    low, high, along, waves, noise = back
    whole = [Span(0.0, 4.0)]
    moving = Actor(colour, shape, whole, [], [0, 4], [places[0], 0.5], [places[1], 0.5], [radius] * 2, [angle, 0])
    still = Actor("red", "ring", [Span(1.0, 3.0)], [], [0], [0.6], [0.4], [0.2], [0])
    background = Background(low, high, along, waves, 0.2, noise)
    scene = Scene(3, 4.0, 60, 48, 25.0, False, background, [still, moving])
    assert differences(scene, np.arange(0, 4, 0.3)).max() <= 1


def test_frames_do_not_depend_on_what_is_drawn_with_them():
    scene = sample_scene(scene_seed("train", 0, 4), durations_s=(8.0, 9.0))
    times_s = scene.frame_times_s()[: 3 * CHUNK + 2]
    whole = render(scene, times_s)
    assert (np.concatenate(list(render_in_chunks(scene, times_s))) == whole).all()
    for place in (0, CHUNK - 1, CHUNK, 3 * CHUNK + 1):
        assert (render(scene, times_s[place : place + 1])[0] == whole[place]).all()
    assert render(scene, times_s[:0]).shape == (0, 3, scene.height, scene.width)


@pytest.mark.parametrize("index", range(3))
def test_files_hold_the_frames_with_some_out_of_order(index, tmp_path):
    """Whatever reads a video meets B-frames here, as in most people's files; and the channels are in their places."""
    scene = next(
        scene
        for number in range(200)
        if (scene := sample_scene(scene_seed("test", index, number), durations_s=(3.0, 5.0))).background.noise == 0
    )
    write_video(scene, tmp_path / "a.mp4")
    with av.open(str(tmp_path / "a.mp4")) as container:
        frames = list(container.decode(video=0))
    assert PictureType.B in {frame.pict_type for frame in frames}
    for frame, drawn in zip(frames, render(scene, scene.frame_times_s()), strict=True):
        assert np.abs(frame.to_ndarray(format="rgb24").transpose(2, 0, 1).astype(int) - drawn).mean() < 4
    assert probe(tmp_path / "a.mp4").duration_s == pytest.approx(scene.duration_s, abs=1e-3)
