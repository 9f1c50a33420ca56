"""Frames that are chosen are distinct, in order, relevant, and not the same picture again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from timeground.index.choose import choose_frames

SMALL = st.floats(-3, 3, width=16)
COUNTS = st.integers(0, 12)


@st.composite
def frames(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int]:
    """Features of which some are equal or nothing, relevance of which some is equal, and how many are wanted."""
    count = draw(COUNTS)
    kinds = draw(arrays(np.float64, (4, 3), elements=SMALL))
    features = kinds[draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))]
    relevance = draw(arrays(np.float64, count, elements=st.sampled_from([-1.0, 0.0, 0.5, 7.0])))
    return features, relevance, draw(st.integers(0, 14))


@given(frames())
def test_indices_are_distinct_and_in_order_whatever_is_given(given_frames) -> None:
    features, relevance, k = given_frames
    found = choose_frames(features, relevance, k)
    assert found == sorted(set(found)) and len(found) == min(k, len(relevance))
    assert all(0 <= one < len(relevance) for one in found)


@given(frames())
def test_only_the_ratio_of_differences_of_relevance_counts(given_frames) -> None:
    """Relevance is of halves, so that this scale and shift change no bit of it."""
    features, relevance, k = given_frames
    assert choose_frames(features, relevance, k) == choose_frames(features, relevance * 4 - 8, k)


def test_all_are_returned_where_no_more_are_there() -> None:
    assert choose_frames(np.eye(3), [1, 2, 3], 3) == choose_frames(np.eye(3), [1, 2, 3], 9) == [0, 1, 2]


def test_equal_relevance_gives_evenly_spaced_frames() -> None:
    assert choose_frames(np.random.default_rng(0).normal(size=(8, 4)), np.ones(8), 4) == [1, 3, 5, 7]


def test_a_still_video_gives_frames_apart_in_time() -> None:
    """Published code gives frames 0, 0, 1, 1 here."""
    relevance = np.array([0.0, 0.2, 0.9, 0.3, 0.1, 0.1, 0.2, 0.1])
    found = choose_frames(np.ones((8, 4)), relevance, 4)
    assert len(set(found)) == 4 and 2 in found and max(np.diff(found)) <= 3


def test_two_shots_give_one_frame_each_before_a_second_of_one() -> None:
    features = np.repeat(np.eye(2), 4, axis=0)
    found = choose_frames(features, [0.9, 1.0, 0.9, 0.9, 0.5, 0.5, 0.6, 0.0], 2)
    assert found == [1, 6]


def test_relevance_decides_where_all_are_different() -> None:
    rng = np.random.default_rng(1)
    relevance = rng.permutation(10).astype(float)
    found = choose_frames(np.eye(10), relevance, 3)
    assert set(found) == set(np.argsort(-relevance)[:3])


def test_the_greedy_choice_is_the_one_by_determinants() -> None:
    """Each step is compared with the determinants of all kernels that one more frame would give."""
    rng = np.random.default_rng(2)
    features, relevance = rng.normal(size=(9, 5)), rng.random(9)
    units = features / np.linalg.norm(features, axis=1, keepdims=True)
    low, high = relevance.min(), relevance.max()
    weights = np.maximum((relevance - low) / (high - low), 0.05)
    kernel = weights[:, None] * (units @ units.T) * weights
    taken: list[int] = []
    for _ in range(4):
        left = [n for n in range(9) if n not in taken]
        taken.append(max(left, key=lambda n: np.linalg.det(kernel[np.ix_([*taken, n], [*taken, n])])))
    assert choose_frames(features, relevance, 4) == sorted(taken)


def test_what_does_not_fit_is_refused() -> None:
    for arguments in (
        (np.eye(3), [1, 2], 1),
        (np.eye(3), [1, 2, 3], -1),
        (np.eye(3), [1, float("nan"), 3], 1),
        (np.ones(3), [1, 2, 3], 1),
    ):
        with pytest.raises(ValueError):
            choose_frames(*arguments)
