"""Stretches are around what fits best, apart from each other, and inside their video."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.find_videos import by_video
from timeground.find.ranking import best_stretches, ranked
from timeground.index.store import Made, VideoIndex


def index(duration_s: float, step_s: float = 2.0) -> VideoIndex:
    times_s = torch.arange(step_s / 2, duration_s, step_s, dtype=torch.float64)
    return VideoIndex(Made("", "", ""), torch.zeros(len(times_s), 1, 1), times_s, (), duration_s)


@given(st.floats(3, 500), st.floats(10, 90), st.integers(1, 4), st.integers(0, 10**6))
def test_stretches_lie_in_the_video_and_the_best_piece_is_in_the_first(
    duration_s: float, length_s: float, most: int, seed: int
) -> None:
    video = index(duration_s)
    relevance = torch.rand(len(video.times_s), generator=torch.Generator().manual_seed(seed))
    found = best_stretches("a", video, relevance, length_s, most)
    assert 1 <= len(found) <= most
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    windows = [one.window for one in found if one.window]
    if duration_s <= 1.25 * length_s:
        assert [one.window for one in found] == [None]
        return
    assert len(windows) == len(found)
    for window in windows:
        assert window.start_s >= -1e-9 and window.end_s <= duration_s + 1e-9
        assert abs(window.length_s - length_s) < 1e-6
    best_s = float(video.times_s[relevance.argmax()])
    assert any(window.start_s <= best_s < window.end_s for window in windows)
    assert len({window.start_s for window in windows}) == len(windows)


def test_an_hour_gives_a_stretch_around_each_of_its_peaks() -> None:
    video = index(3600.0)
    relevance = torch.zeros(len(video.times_s))
    relevance[[200, 201]], relevance[[1500, 1501]] = 5.0, 4.0
    first, second = best_stretches("a", video, relevance, 60.0, 2)
    assert first.score == 5.0 and first.window.start_s < 401 < first.window.end_s
    assert second.score == 4.0 and second.window.start_s < 3001 < second.window.end_s


def test_one_lone_piece_counts_less_than_two() -> None:
    video = index(20.0)
    alone, two = torch.zeros(10), torch.zeros(10)
    alone[3], two[4:6] = 1.0, 0.8
    (one,), (other,) = (best_stretches("a", video, values, 60.0, 1) for values in (alone, two))
    assert other.score > one.score
    assert ranked([one, other], 1) == [other]


def test_a_video_is_named_once() -> None:
    video = index(300.0)
    relevance = torch.linspace(0, 1, len(video.times_s))
    found = best_stretches("a", video, relevance, 60.0, 3) + best_stretches("b", video, relevance - 2, 60.0, 3)
    assert by_video(ranked(found, 6)) == ["a", "b"]
    assert best_stretches("a", video, torch.zeros(0), 60.0, 3) == []
