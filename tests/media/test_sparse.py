"""A long video of which most frames were left out says so; one of which nothing was does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.conftest import noise_clip
from tests.support.says import Says
from timeground.chat.profile import Profile
from timeground.media.sampling import Sampling
from timeground.media.sparse import sparse_note
from timeground.methods.grounder import Grounder


def clip_of(num_frames: int, length_s: float):
    clip = noise_clip(2, 8, 8)
    times = torch.linspace(0, length_s, num_frames, dtype=torch.float64)
    frames = clip.frames[:1].expand(num_frames, -1, -1, -1)
    return replace(clip, frames=frames, frame_times_s=times, start_s=0.0, end_s=length_s, duration_s=length_s)


def test_an_hour_says_what_was_read_and_what_that_means():
    sampling = Sampling(max_frames=720)
    said = sparse_note(clip_of(720, 3600), sampling)
    assert said == (
        "720 frames of 1:00:00 were read, one every 5 s, not 2 a second: what is shorter may go unseen, and no time is "
        "finer than that; a shorter part of the video is looked at closely"
    )
    assert "one every 1.2 s" in (sparse_note(clip_of(448, 560), replace(sampling, max_frames=448)) or "")
    assert "of 560 s" in (sparse_note(clip_of(448, 560), replace(sampling, max_frames=448)) or "")


@pytest.mark.parametrize(
    ("frames", "length_s"),
    [(720, 360), (720, 500), (10, 3600), (1000, 3600)],
    ids=["all", "nearly all", "a file with ten frames", "frames that somebody else chose"],
)
def test_nothing_is_said_where_nothing_was_left_out(frames, length_s):
    assert sparse_note(clip_of(frames, length_s), Sampling(max_frames=720)) is None


def test_answers_carry_it():
    model = Says("0:30:00 - 0:30:10", Profile())
    limit = model.sampling().frame_limit
    watched = Grounder(model).watch(clip_of(limit, 6 * 3600))
    (answer,) = watched.ground("it rings")
    assert answer.sparse == watched.sparse and f"{limit} frames of 6:00:00" in answer.to_json()["sparse"]
    assert Grounder(model).ground(noise_clip(), "it rings").sparse is None
