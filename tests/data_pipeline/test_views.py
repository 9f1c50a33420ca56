"""A view changes the clip and the spans alike, and back again."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from timeground.data_pipeline.views import View

from tests.conftest import noise_clip
from timeground.spans import Span


@given(st.sampled_from(View), st.lists(st.tuples(st.floats(3, 9), st.floats(0.1, 4)), max_size=4))
def test_a_view_twice_is_no_view(view, pairs):
    clip, extent = noise_clip(), Span(2.0, 14.0)
    spans = sorted(Span(start, start + length) for start, length in pairs)
    twice = view.turn(view.turn(spans, extent), extent)
    assert [s.to_list() for s in twice] == [pytest.approx(s.to_list(), abs=0.001) for s in spans]
    shown = view.show(view.show(clip))
    assert torch.equal(shown.frames, clip.frames)
    assert shown.frame_times_s.tolist() == pytest.approx(clip.frame_times_s.tolist())
