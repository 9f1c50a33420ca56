"""Clips: reversing, cutting, pairing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from timeground.media.clip import Clip


def make_clip(times_s: list[float]) -> Clip:
    frames = torch.arange(len(times_s), dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 2, 2).contiguous()
    return Clip(frames, torch.tensor(times_s, dtype=torch.float64), 0.0, 100.0, 100.0, "x")


times_lists = st.lists(st.integers(0, 10**6), min_size=2, max_size=20, unique=True).map(
    lambda values: [value / 1000 for value in sorted(values)]
)


@given(times_lists.filter(lambda times: len(times) % 2 == 0))
def test_reversing_an_even_clip_twice_gives_it_back(times_s: list[float]) -> None:
    clip = make_clip(times_s)
    again = clip.reversed().reversed()
    assert torch.equal(again.frames, clip.frames)
    torch.testing.assert_close(again.frame_times_s, clip.frame_times_s, rtol=0, atol=1e-9)


@given(times_lists)
def test_reversed_times_rise_between_the_same_ends(times_s: list[float]) -> None:
    clip = make_clip(times_s)
    backwards = clip.reversed()
    assert (backwards.frame_times_s.diff() >= 0).all()
    assert backwards.frame_times_s[0] == pytest.approx(times_s[0])
    assert backwards.frame_times_s[-1] == pytest.approx(times_s[-1])
    assert backwards.start_s == clip.start_s and backwards.end_s == clip.end_s


def test_symmetric_sampling_keeps_its_stamps() -> None:
    """So the stamps tell a model nothing of the direction."""
    symmetric = make_clip([0.0, 0.5, 1.0, 1.5, 2.0, 2.5])
    torch.testing.assert_close(symmetric.reversed().frame_times_s, symmetric.frame_times_s, rtol=0, atol=1e-12)
    assert not torch.equal(symmetric.reversed().frames, symmetric.frames)


def test_an_odd_clip_is_padded_before_it_is_reversed() -> None:
    clip = make_clip([0.0, 1.0, 2.0])
    assert clip.pair_times_s().tolist() == [[0.0, 1.0], [2.0, 2.0]]
    assert clip.reversed().frames[:, 0, 0, 0].tolist() == [2, 2, 1, 0]
    assert clip.reversed().frame_times_s.tolist() == [0.0, 0.0, 1.0, 2.0]


def test_between_keeps_the_frames_of_the_window() -> None:
    part = make_clip([0.0, 1.0, 2.0, 3.0]).between(1.0, 3.0)
    assert part.frame_times_s.tolist() == [1.0, 2.0]
    assert (part.start_s, part.end_s) == (1.0, 3.0)
    assert part.frames[:, 0, 0, 0].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("frames", "times_s"),
    [
        (torch.zeros(2, 3, 4, 4), torch.zeros(2, dtype=torch.float64)),
        (torch.zeros(3, 4, 4, dtype=torch.uint8), torch.zeros(3, dtype=torch.float64)),
        (torch.zeros(2, 3, 4, 4, dtype=torch.uint8), torch.zeros(3, dtype=torch.float64)),
        (torch.zeros(2, 3, 4, 4, dtype=torch.uint8), torch.zeros(2)),
    ],
)
def test_frames_and_times_must_fit(frames: torch.Tensor, times_s: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="must be"):
        Clip(frames, times_s, 0.0, 1.0, 1.0)
