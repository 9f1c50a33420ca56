"""How signs are weighed: means without weights, a logistic regression with them, and what a profile may hold."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeground.chat.confidence import log_odds, probability
from timeground.chat.evidence import SIGNS, Mix, SearchFit
from timeground.chat.profile import Profile
from timeground.errors import UserError

PROBABILITY = st.floats(0.001, 0.999)
EVIDENCE = st.dictionaries(st.sampled_from(SIGNS), PROBABILITY, min_size=1)


@given(EVIDENCE)
def test_without_weights_a_mix_is_the_mean_of_the_log_odds(evidence) -> None:
    assert log_odds(Mix()(evidence)) == pytest.approx(sum(map(log_odds, evidence.values())) / len(evidence), abs=1e-6)
    assert min(evidence.values()) - 1e-9 <= Mix()(evidence) <= max(evidence.values()) + 1e-9


@given(EVIDENCE, st.sampled_from(SIGNS), PROBABILITY)
def test_more_of_a_sign_with_a_weight_is_never_less(evidence, sign, more) -> None:
    mix = Mix({sign: 1.5}, -0.5)
    before, after = {**evidence, sign: min(more, 0.5)}, {**evidence, sign: max(more, 0.5)}
    assert mix(before) <= mix(after)
    assert mix({other: value for other, value in evidence.items() if other != sign}) == pytest.approx(probability(-0.5))


def test_nothing_seen_says_nothing() -> None:
    assert Mix()({}) == 0.5 and Mix({"happens": 2.0}, 1.0)({}) == pytest.approx(1 / (1 + math.exp(-1.0)))


def test_a_profile_keeps_what_was_fitted(tmp_path) -> None:
    fit = SearchFit(Mix({"frames": 1.25, "happens": 0.5}, -2.0), Mix({"between": 0.75}, 0.125), 0.25, 0.875)
    profile = Profile(search=fit)
    profile.save(tmp_path)
    from timeground.chat.profile import load_profile

    assert load_profile(tmp_path / "grounding_config.json") == profile
    assert SearchFit.from_json({}) == SearchFit() and "search" not in Profile().to_json()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (5, "search is 5"),
        ({"speed": 1}, "expected an object with order, answer, found, sure"),
        ({"sure": 2}, "sure is 2, expected a number from 0 to 1"),
        ({"found": True}, "found is True"),
        ({"order": 5}, "a mix is 5"),
        ({"order": {"luck": 1.0}}, "there is no sign luck; there are: happens"),
        ({"answer": {"happens": float("nan")}}, "happens is nan"),
        ({"answer": {"shift": "0"}}, "shift is '0'"),
    ],
)
def test_what_is_no_fit_is_refused(value, words) -> None:
    with pytest.raises(UserError, match=words):
        SearchFit.from_json(value)
