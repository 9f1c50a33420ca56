"""The same video seen another way: what becomes of the clip, of the query, and of the spans."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from timeground.data_pipeline.item import Item
from timeground.data_pipeline.stages.ground import Ground, Pass
from timeground.data_pipeline.stages.turning import mirrored_query, reversed_query
from timeground.data_pipeline.stages.views import View

from tests.conftest import noise_clip
from tests.data_pipeline.conftest import make_row
from timeground.data.rows import read_rows
from timeground.spans import Span, set_iou
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


@given(st.sampled_from(View), st.lists(st.tuples(st.floats(3, 9), st.floats(0.1, 4)), max_size=4))
def test_a_view_twice_is_no_view(view, pairs):
    clip, extent = noise_clip(), Span(2.0, 14.0)
    spans = sorted(Span(start, start + length) for start, length in pairs)
    twice = view.turn(view.turn(spans, extent), extent)
    assert [s.to_list() for s in twice] == [pytest.approx(s.to_list(), abs=0.001) for s in spans]
    shown = view.show(view.show(clip))
    assert torch.equal(shown.frames, clip.frames)
    assert shown.frame_times_s.tolist() == pytest.approx(clip.frame_times_s.tolist())


def test_passes_of_all_views_answer_in_the_times_of_the_video(tools, pile):
    """Most queries are found in every view, where they are; what no rule can word is not asked backwards."""
    rows = [row for row in read_rows(pile / "rows.jsonl") if row.video == "videos/copy.mp4"]
    rows = [row for row in rows if row.meta.get("kind") == "single"]
    odd = make_row("odd", "he throws a ball")
    odd.video, odd.duration = rows[0].video, rows[0].duration
    Ground(passes=[Pass(views=tuple(View))]).run(Item(odd.video, [*rows, odd]), tools)
    assert [one["pass"] for one in odd.quality["passes"]] == ["tiny", "tiny mirrored"]
    found = dict.fromkeys(("tiny", "tiny mirrored", "tiny reversed", "tiny mirrored-reversed"), 0.0)
    for row in rows:
        assert len(row.quality["passes"]) == 4
        for one in row.quality["passes"]:
            spans = [Span(*pair) for pair in one["spans"] or []]
            found[one["pass"]] += set_iou(spans, row.spans) / len(rows) if spans else 0.0
    assert all(mean > 0.4 for mean in found.values()), found
