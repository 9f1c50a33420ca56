"""A part of a scene is a scene of its own: the same frames, the same truth, in its own time or in its file's."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from timeground.train.config import StageSettings
from timeground.train.data.scenes import all_rows, window_of

from timeground.media.sampling import Sampling
from timeground.spans import Span, clamp
from timeground.synth.frames import scene_clip
from timeground.synth.render import render
from timeground.synth.rows import events_of
from timeground.synth.scene import cut
from timeground.synth.world import sample_scene

SMALL = Sampling(factor=32, min_tokens_per_pair=4, max_tokens_per_pair=9, total_tokens=1440)


def parts(seed: int):
    """A scene, and where a part of it begins and ends."""
    scene = sample_scene(seed, durations_s=(20.0, 120.0))
    start_s, end_s = np.sort(np.random.default_rng(seed).uniform(0, scene.duration_s, 2)).round(1)
    return scene, float(start_s), float(max(end_s, start_s + 2.0))


@given(st.integers(0, 10**6))
def test_what_happens_in_a_part_is_what_the_scene_says_of_it(seed: int) -> None:
    scene, start_s, end_s = parts(seed)
    part = cut(scene, start_s, end_s)
    whole = {(e.action, e.a, e.b): e.spans for e in events_of(scene)}
    found = {(e.action, e.a, e.b): e.spans for e in events_of(part)}
    for key, spans in whole.items():
        inside = [clamp(s, start_s, end_s) for s in spans if s.start_s < end_s and s.end_s > start_s]
        moved = [Span(s.start_s + start_s, s.end_s + start_s) for s in found.get(key, ())]
        assert [s.to_list() for s in moved] == [pytest.approx(s.to_list()) for s in inside]
    for action, name in part.elsewhere:
        assert (action, name, "") in whole and (action, name, "") not in found


@pytest.mark.parametrize("seed", range(6))
def test_its_frames_are_the_scenes(seed: int) -> None:
    scene, start_s, end_s = parts(seed)
    part = cut(scene, start_s, end_s)
    times_s = np.arange(0.013, end_s - start_s, 0.5)  # borders are tenths; a part rounds its own
    ours, theirs = render(part, times_s, 96, 96), render(scene, times_s + start_s, 96, 96)
    assert np.abs(ours.astype(int) - theirs).max() <= 1


@given(st.integers(0, 10**6))
def test_rows_are_told_in_the_time_that_the_clip_is_shown_in(seed: int) -> None:
    scene, *_ = parts(seed)
    stage = StageSettings(windows_s=(2.0, 30.0), latest_s=4000.0)
    part = window_of(scene, stage, np.random.default_rng(seed))
    clip = scene_clip(part, SMALL)
    assert clip.start_s == part.clock_s <= clip.frame_times_s[0] and clip.frame_times_s[-1] < clip.end_s
    as_its_own = all_rows(replace(part, clock_s=0.0), "v.mp4")
    for row, own in zip(all_rows(part, "v.mp4"), as_its_own, strict=True):
        assert all(clip.start_s - 1e-9 <= s.start_s < s.end_s <= clip.end_s + 1e-9 for s in row.spans)
        assert [s.start_s - part.clock_s for s in row.spans] == pytest.approx([s.start_s for s in own.spans])
        if row.question and " at " in row.question:
            told_s = float(row.question.split(" at ")[1].split()[0])
            assert clip.start_s - 0.05 <= told_s <= clip.end_s


def test_nobody_is_asked_about_a_glimpse() -> None:
    """What is cut off but for a moment is neither asked for nor said not to happen."""
    scene = sample_scene(11, durations_s=(30.0, 40.0))
    event = next(e for e in events_of(scene) if e.action != "visible")
    part = cut(scene, event.spans[0].end_s - 0.2, scene.duration_s)
    (cut_event,) = (e for e in events_of(part) if (e.action, e.a, e.b) == (event.action, event.a, event.b))
    assert not cut_event.is_clear
    for row in all_rows(part, "v.mp4"):
        if row.meta["kind"] in ("single", "multi", "absent", "happens"):
            assert not (event.a in row.query and row.meta.get("action") == event.action)
