"""What a query becomes when its video is mirrored or played backwards."""

from __future__ import annotations

import pytest
from timeground.data_pipeline.language.turning import mirrored_query, reversed_query

from timeground.synth.language import ORDER, PHRASES, mirrored_sentence, sentence


@pytest.mark.parametrize(
    ("query", "turned"),
    [
        ("a man turns left", "a man turns right"),
        ("a dog runs to the right", "a dog runs to the left"),
        ("he looks left", "he looks right"),
        ("she holds a cup in her left hand", "she holds a cup in her right hand"),
        ("he left the room right away", "he left the room right away"),
        ("a cat jumps", "a cat jumps"),
    ],
)
def test_left_and_right_change_places_where_they_are_sides(query, turned):
    assert mirrored_query(query) == turned and mirrored_query(turned) == query


@pytest.mark.parametrize(
    ("query", "turned"),
    [
        ("a person opens the door", "a person closes the door"),
        ("he picks up the phone after he sits down", "he puts down the phone before he stands up"),
        ("a car moves towards the camera", "a car moves away from the camera"),
        ("someone walks into the kitchen", "someone walks out of the kitchen"),
        ("people are dancing", "people are dancing"),
        ("he throws a ball", None),
        ("she sits down, then stands up", None),
        ("a man talks", None),
        ("he looks left", None),
        ("a cup stands on the left side", None),
    ],
)
def test_a_query_is_played_backwards_only_where_every_part_has_an_opposite(query, turned):
    assert reversed_query(query) == turned


def test_a_known_direction_decides_where_the_words_do_not():
    assert reversed_query("a man talks", "insensitive") == "a man talks"
    assert reversed_query("a man talks", "sensitive") is None


@pytest.mark.parametrize("order", ["", *ORDER])
def test_the_rule_agrees_with_the_language_of_synthmoments(order):
    sure = 0
    for action, phrases in PHRASES.items():
        for phrasing in range(len(phrases)):
            words = (action, phrasing, "red circle", "blue star", order, "green ring")
            turned = reversed_query(sentence(*words))
            assert turned in (None, mirrored_sentence(*words)), words
            sure += turned is not None
    assert sure >= 32
