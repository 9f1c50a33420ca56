"""Borders lie where events begin and end, and nowhere in what stays as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from timeground.index.borders import BorderSettings, find_borders, modularity, observe, refined
from timeground.media.sampling import Sampling
from timeground.metrics.boundaries import Truth, boundary_score
from timeground.spans import Span
from timeground.synth.frames import scene_clip, scene_seed
from timeground.synth.world import sample_scene

FPS = 8.0
SMALL = Sampling(FPS, 256, 10**6, 4, max_tokens_per_pair=256)


def drawn(*squares: tuple[float, float, float, float], duration_s: float = 12.0) -> torch.Tensor:
    """Frames with a red square each: where it is and how fast it goes (pixels a second), and when it is there."""
    frames = torch.full((round(duration_s * FPS), 3, 48, 48), 90, dtype=torch.uint8)
    for x, speed, start_s, end_s in squares:
        for number in range(round(start_s * FPS), round(end_s * FPS)):
            left = round(x + speed * (number / FPS - start_s))
            frames[number, :, 10:20, left : left + 10] = torch.tensor([220, 30, 30], dtype=torch.uint8)[:, None, None]
    return frames


def borders(frames: torch.Tensor) -> list[float]:
    return find_borders(observe(frames).numpy(), np.arange(len(frames)) / FPS)


def test_stillness_has_no_borders() -> None:
    assert borders(drawn()) == [] == borders(drawn((5, 0, 0, 12)))
    noise = torch.randint(85, 95, (96, 3, 48, 48), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    assert borders(noise) == []


def test_coming_and_going_are_borders() -> None:
    found = borders(drawn((5, 0, 3.0, 8.0)))
    assert np.allclose(found, [3.0, 8.0], atol=0.3)


def test_a_motion_begins_and_ends_and_has_no_border_between() -> None:
    frames = drawn((2, 0, 0, 4.0), (2, 8.0, 4.0, 8.0), (34, 0, 8.0, 12.0))
    assert np.allclose(borders(frames), [4.0, 8.0], atol=0.3)


def test_too_few_frames_have_none() -> None:
    for count in range(1, 5):
        assert borders(drawn()[:count]) == []


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.3, 3.0), st.sampled_from([0.0, 0.5]))
def test_borders_are_in_order_and_apart_whatever_was_observed(seed: int, apart_s: float, moved_s: float) -> None:
    rng = np.random.default_rng(seed)
    times_s = np.cumsum(rng.uniform(0.05, 0.2, 120))
    chosen = replace(BorderSettings(), apart_s=apart_s, moved_s=moved_s)
    found = find_borders(rng.random((120, 6)), times_s, chosen)
    gaps = np.diff(found)
    assert (gaps > 0).all() and set(found) <= set(times_s.tolist())
    assert moved_s or (gaps >= apart_s - 1e-9).all()


def test_modularity_is_the_one_by_its_definition() -> None:
    rng = np.random.default_rng(0)
    units = np.abs(rng.normal(size=(9, 4)))
    similarity = units @ units.T
    total, degrees = similarity.sum(), similarity.sum(axis=1)
    for cut, found in enumerate(modularity(similarity)):
        side = np.arange(9) >= cut
        same = side[:, None] == side
        wanted = ((similarity - np.outer(degrees, degrees) / total) * same).sum() / total
        assert abs(found - wanted) < 1e-9


def test_a_border_moves_to_where_the_sides_differ() -> None:
    observed = np.repeat(np.eye(2), [20, 20], axis=0)
    assert refined(observed, [17], moved=5, within=30) == [20] == refined(observed, [22], moved=5, within=30)
    assert refined(observed, [10], moved=3, within=30) == [13]  # not further than it may


def test_scenes_are_cut_better_than_evenly() -> None:
    """A few scenes; `benchmarks.event_borders` measures a hundred files."""
    found, truths = [], []
    for index in range(6):
        scene = sample_scene(scene_seed("test", 3, index), durations_s=(15, 25))
        clip = scene_clip(scene, SMALL)
        found.append(find_borders(observe(clip.frames).numpy(), clip.frame_times_s.numpy()))
        events: list[Span] = [span for a in scene.actors for span in (*a.visible, *(act.span for act in a.acts))]
        truths.append(Truth.of_events(events, scene.duration_s))
    score = boundary_score(found, truths)
    assert score.f1 > 0.65 and score.f1 > score.uniform_f1 + 0.15, str(score)
