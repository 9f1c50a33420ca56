"""How passes and judge are weighed, and how the weights are fitted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from timeground.data_pipeline.stages.audit.evidence import TINY_WEIGHTS, Evidence, Weights

from timeground.spans import Span


@given(st.integers(1, 12), st.data())
def test_more_support_is_never_more_doubt(num_passes, data):
    support = data.draw(st.integers(0, num_passes - 1))
    there = data.draw(st.none() | st.floats(0, 0.9))
    less, more = Evidence(num_passes, support, there=there), Evidence(num_passes, support + 1, there=there)
    assert 0 < more.doubt(TINY_WEIGHTS) < less.doubt(TINY_WEIGHTS) < 1
    assert Evidence(num_passes, support, several=1, there=there).doubt(TINY_WEIGHTS) > less.doubt(TINY_WEIGHTS)
    if there is not None:
        assert Evidence(num_passes, support, there=there + 0.1).doubt(TINY_WEIGHTS) < less.doubt(TINY_WEIGHTS)


def test_passes_are_counted_by_what_they_say_of_the_spans():
    answers = [[Span(2, 4)], [Span(2, 4), Span(8, 9)], [], None, [Span(12, 14)]]
    found = Evidence.gather([Span(2, 4)], answers, 0.7, 0.5)
    assert found == Evidence(num_passes=5, support=1, several=1, absent=1, there=0.7) and found.apart == 2
    assert "of 5 passes 1 support it" in found.in_words() and "0.70" in found.in_words()


def test_nothing_known_is_no_doubt_and_evidence_is_read_back_as_it_was_kept():
    assert Evidence().doubt(TINY_WEIGHTS) == 0.0
    evidence = Evidence(num_passes=5, support=1, several=1, there=0.7)
    assert Evidence.from_json(evidence.to_json(TINY_WEIGHTS)) == evidence


def test_the_weights_are_found_again_from_what_they_made():
    """Logistic regression on 40,000 draws of a known model."""
    rng = np.random.default_rng(0)
    features = np.column_stack([rng.normal(0, 1.5, 40_000), rng.normal(0, 2, 40_000), rng.uniform(0, 0.5, 40_000)])
    true = Weights(fitted_for=("mine",), base=-1.0, support=-0.8, there=-0.5, several=4.0)
    wrong = rng.random(40_000) < 1 / (1 + np.exp(1.0 - features @ np.array([-0.8, -0.5, 4.0])))
    found = Weights.fit(features, wrong, ["mine"]).model_dump()
    assert found.pop("fitted_for") == ("mine",)
    assert found == pytest.approx(true.model_dump(exclude={"fitted_for"}), abs=0.15)


@pytest.mark.parametrize(
    ("fitted_for", "model", "fits"),
    [
        ("tiny", "tiny", True),
        ("tiny", "out/tiny", False),
        ("Qwen/Qwen3-VL-8B", "http://localhost:8000/v1#Qwen/Qwen3-VL-8B", True),
        ("http://localhost:8000/v1", "http://localhost:8000/v1", True),
        ("tiny", "http://localhost:8000/v1", False),
    ],
)
def test_weights_are_for_the_model_that_they_name(fitted_for, model, fits):
    assert TINY_WEIGHTS.model_copy(update={"fitted_for": ("other", fitted_for)}).are_for(model) is fits
