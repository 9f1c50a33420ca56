"""The rule that tells time's direction from the words of a sentence."""

from __future__ import annotations

from timeground.data_pipeline.language.direction import direction_of

from timeground.synth.language import PHRASES, is_time_sensitive, sentence


def test_the_rule_of_direction_is_right_wherever_it_is_sure():
    sure = 0
    for action, phrases in PHRASES.items():
        for phrasing in range(len(phrases)):
            for order in ("", "first", "after_coming"):
                said = direction_of(sentence(action, phrasing, "red circle", "blue star", order, "green ring"))
                wanted = "sensitive" if is_time_sensitive(action, order) else "insensitive"
                assert said in (wanted, "unknown"), (action, phrasing, order)
                sure += said == wanted
    assert sure > 60
    assert direction_of("a man opens the door") == "sensitive"
    assert direction_of("a dog is lying on the floor") == "insensitive"
    assert direction_of("a man dances and leaves") == "unknown" and direction_of("people talk") == "unknown"
