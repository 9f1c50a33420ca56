"""Shots joined to segments."""

from __future__ import annotations

from timeground.data_pipeline.stages.shots import segments


def test_segments_have_the_length_asked_for():
    found = segments([0, 5, 12, 30, 200], 20, 60)
    assert found[0] == [0, 30] and all(20 <= end - start <= 60 for start, end in found) and found[-1][1] == 200
