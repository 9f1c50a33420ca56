"""Sampling arithmetic against qwen-vl-utils' own functions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from timeground.errors import UserError
from timeground.media.sampling import Sampling, frame_size, num_frames, target_times_s
from timeground.media.selection import check_window, choose, choose_reference, nearest
from timeground.models.torchvision_repair import repair_torchvision

repair_torchvision()
from qwen_vl_utils import vision_process as qwen  # noqa: E402

samplings = st.builds(
    Sampling,
    fps=st.sampled_from([0.5, 1.0, 2.0, 4.0]),
    min_tokens_per_pair=st.integers(4, 200),
    total_tokens=st.integers(500, 30000),
    factor=st.sampled_from([28, 32]),
)


@settings(max_examples=400, deadline=None)
@given(st.integers(1, 4000), st.integers(1, 4000), st.integers(1, 2000), samplings)
def test_frame_size_is_qwens(height: int, width: int, count: int, sampling: Sampling) -> None:
    """The ceiling and the resize of fetch_video; where that gives a side of 0 pixels, we give one token."""
    area = sampling.factor**2
    floor = sampling.min_tokens_per_pair * area
    share = sampling.total_tokens * area / count * 2
    ceiling = max(min(qwen.VIDEO_MAX_TOKEN_NUM * area, share), int(floor * 1.05))
    if max(height, width) / min(height, width) > 200:
        with pytest.raises(UserError, match="too long and narrow"):
            frame_size(height, width, count, sampling)
        return
    theirs = qwen.smart_resize(height, width, sampling.factor, floor, ceiling)
    ours = frame_size(height, width, count, sampling)
    assert ours == (max(theirs[0], sampling.factor), max(theirs[1], sampling.factor))


@pytest.mark.parametrize("factor", [28, 32])
@pytest.mark.parametrize(("height", "width", "count"), [(96, 128, 4), (50, 300, 10), (360, 200, 2), (33, 35, 64)])
def test_frame_size_is_what_fetch_video_returns(
    height: int, width: int, count: int, factor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """End to end: fetch_video on a list of frames of this size."""
    from PIL import Image

    sampling = Sampling(factor=factor, min_tokens_per_pair=16, total_tokens=2000)
    frames = [Image.new("RGB", (width, height))] * count
    limits = {"min_pixels": sampling.min_pixels, "total_pixels": sampling.total_tokens * factor**2}
    # A list's pictures are first resized one by one, by another rule; a file's are not.
    monkeypatch.setattr(qwen, "fetch_image", lambda ele, *_: ele["image"])
    video = qwen.fetch_video({"video": frames, **limits}, image_patch_size=factor // 2)
    assert tuple(video.shape[2:]) == frame_size(height, width, count, sampling)


def test_max_tokens_per_pair_caps_the_frame() -> None:
    small = frame_size(720, 1280, 10, Sampling(max_tokens_per_pair=100))
    assert small[0] * small[1] <= 100 * 28**2 < np.prod(frame_size(720, 1280, 10, Sampling()))


@settings(max_examples=300, deadline=None)
@given(st.integers(2, 100000), st.sampled_from([10.0, 24.0, 25.0, 30.0, 60.0]), samplings)
def test_num_frames_is_smart_nframes(total: int, video_fps: float, sampling: Sampling) -> None:
    theirs = qwen.smart_nframes(
        {"fps": sampling.fps, "max_frames": sampling.frame_limit, "min_frames": 4}, total, video_fps
    )
    ours = num_frames(total / video_fps, sampling, total)
    exact = total / video_fps * sampling.fps
    if abs(exact / 2 - round(exact / 2)) > 1e-9:  # where theirs is not at the mercy of a rounding error
        assert ours == theirs
    assert ours % 2 == 0 and ours <= total


def test_timelens_budget() -> None:
    assert Sampling().frame_limit == 448
    assert num_frames(60.0, Sampling()) == 120
    assert num_frames(3600.0, Sampling()) == 448
    assert num_frames(0.5, Sampling()) == 4
    assert num_frames(0.5, Sampling(), available=3) == 2
    assert num_frames(0.5, Sampling(), available=1) == 1
    assert num_frames(59.99999999999, Sampling()) == 120


@pytest.mark.parametrize(
    "wrong",
    [
        {"fps": 0.0},
        {"fps": math.nan},
        {"min_tokens_per_pair": 0},
        {"total_tokens": 0},
        {"factor": 0},
        {"max_frames": 1},
        {"max_tokens_per_pair": 63},
    ],
)
def test_impossible_budgets_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        Sampling(**wrong)  # type: ignore[arg-type]


@given(st.floats(0, 1e4), st.floats(0, 1e4), st.integers(1, 500))
def test_targets_are_their_own_mirror_image(first_s: float, length_s: float, count: int) -> None:
    times = np.array(target_times_s(first_s, first_s + length_s, count))
    assert len(times) == count and times[0] == first_s
    if count > 1:
        assert times[-1] == first_s + length_s
        np.testing.assert_allclose(times + times[::-1], times[0] + times[-1], atol=1e-6)


@settings(max_examples=300)
@given(
    st.integers(2, 3000),
    st.sampled_from([10.0, 24.0, 25.0, 30000 / 1001, 60.0]),
    st.sampled_from([0.5, 1.0, 2.0, 5.0]),
)
def test_choice_on_constant_rate_is_symmetric_and_qwens(total: int, video_fps: float, fps: float) -> None:
    """The same frames forwards and backwards; the same as qwen-vl-utils' linspace, but for exact ties."""
    sampling = Sampling(fps=fps)
    times = np.arange(total) / video_fps
    chosen = choose(times, 0.0, total / video_fps, sampling, "x")
    np.testing.assert_array_equal(chosen, total - 1 - chosen[::-1])
    theirs = np.linspace(0, total - 1, len(chosen))
    assert np.abs(chosen - theirs).max() <= 0.5 + 1e-6
    if not (np.abs(theirs % 1 - 0.5) < 1e-3).any():
        np.testing.assert_array_equal(chosen, torch.linspace(0, total - 1, len(chosen)).double().round().long())


def test_window_takes_only_frames_that_begin_in_it() -> None:
    times = np.arange(100) / 10
    chosen = choose(times, 3.0, 6.0, Sampling(), "x")
    assert times[chosen].min() == 3.0 and times[chosen].max() < 6.0
    assert len(chosen) == 6


def test_a_frame_standing_still_is_taken_once() -> None:
    times = np.array([0.0, 0.1, 0.2, 10.0, 10.1])
    assert choose(times, 0.0, 10.2, Sampling(), "x").tolist() == [0, 2, 3, 4]
    assert choose(times, 3.0, 7.0, Sampling(), "x").tolist() == [2]  # nothing begins here: what still stands


def test_ties_go_towards_the_middle() -> None:
    assert nearest(np.arange(5.0), np.array([0.5, 3.5])).tolist() == [1, 3]
    assert nearest(np.array([1.0]), np.array([0.0, 2.0])).tolist() == [0, 0]


def test_reference_frames_are_taken_only_if_all_are_near() -> None:
    times = np.arange(100) / 10
    chosen = np.array([0, 33, 66, 99])
    every_other = np.arange(100) % 2 == 0
    moved = choose_reference(times, chosen, every_other)
    assert every_other[moved].all() and np.abs(moved - chosen).max() == 1
    assert choose_reference(times, chosen, np.arange(100) < 50) is chosen


@pytest.mark.parametrize(
    ("start_s", "end_s", "message"),
    [
        (5.0, 5.0, "start before it ends"),
        (6.0, 5.0, "start before it ends"),
        (math.nan, 5.0, "start before it ends"),
        (-1.0, 5.0, "not inside"),
        (10.0, 12.0, "not inside"),
        (1.0, 10.6, "not inside"),
    ],
)
def test_windows_outside_the_video_are_refused(start_s: float, end_s: float, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_window(start_s, end_s, 10.0, "clip.mp4")


def test_rounded_window_ends_are_cut() -> None:
    assert check_window(None, None, 10.0, "x") == (0.0, 10.0)
    assert check_window(2.0, 10.3, 10.0, "x") == (2.0, 10.0)
