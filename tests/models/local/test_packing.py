"""A shared prefix changes the cost and nothing else."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import noise_clip
from tests.support.asking import ask, option_scores, show
from tests.support.tiny_models import asked_as
from timeground.chat.layout import TimeEncoding
from timeground.chat.profile import Profile
from timeground.models.loading import load
from timeground.models.local.model import LocalModel
from timeground.models.local.tree import ROOT, Tree, visibility
from timeground.models.sampling import SampleSpec

QUESTIONS = ["When does this happen: the red circle moves left?", "the blue ring turns", "B?"]


def model_of(folder: str, encoding: TimeEncoding, **changes) -> LocalModel:
    return asked_as(load(folder), Profile(prompt="short", time_encoding=encoding, max_new_tokens=10, **changes))


@pytest.fixture(params=["qwen3", "qwen3_5", "qwen3_5_moe", "qwen2_5", "qwen2_5-stamped"])
def model(request) -> LocalModel:
    if request.param.startswith("qwen3"):
        return model_of(request.getfixturevalue(f"{request.param}_folder"), TimeEncoding.NATIVE)
    encoding = TimeEncoding.MROPE if request.param == "qwen2_5" else TimeEncoding.INTERLEAVED_SECONDS
    return model_of(request.getfixturevalue("qwen2_5_folder"), encoding)


def side_of(model: LocalModel) -> int:
    return 2 * model.checkpoint.family.factor


def ids_of(model: LocalModel, prefix, texts, request=None) -> list[list[list[int]]]:
    start = prefix.cache.prompt.next_position
    questions = [model.builder.question(t, start) for t in texts]
    spec = (request or SampleSpec()).with_room(model.profile.max_new_tokens)
    answers = prefix.cache.answer(questions, spec, model.builder.answer_tokens)
    return [[a.ids for a in group] for group in answers]


def test_many_questions_at_once_answer_as_one_at_a_time(model):
    prefix = show(model, noise_clip(8, side_of(model), side_of(model)))
    together = ids_of(model, prefix, QUESTIONS)
    assert together == [ids_of(model, prefix, [q])[0] for q in QUESTIONS]
    assert len({tuple(group[0]) for group in together}) > 1


def test_two_live_clips_do_not_disturb_each_other(model):
    side = side_of(model)
    long, short = noise_clip(12, side, side, seed=1), noise_clip(4, side, side, seed=2)
    alone = [ids_of(model, show(model, clip), QUESTIONS) for clip in (long, short)]
    first, second = show(model, long), show(model, short)
    assert [ids_of(model, first, QUESTIONS), ids_of(model, second, QUESTIONS)] == alone


def test_samples_do_not_see_each_other(model):
    """At a temperature near zero, every one of several samples is the greedy answer."""
    prefix = show(model, noise_clip(8, side_of(model), side_of(model)))
    greedy = ids_of(model, prefix, QUESTIONS[:2])
    sampled = ids_of(model, prefix, QUESTIONS[:2], SampleSpec(num_answers=4, temperature=1e-4))
    assert sampled == [group * 4 for group in greedy]
    warm = ids_of(model, prefix, QUESTIONS[:1], SampleSpec(num_answers=6, temperature=2.0, seed=3))
    assert len({tuple(ids) for ids in warm[0]}) > 1


def test_scores_equal_full_forward_passes(model):
    """Scoring options from the cache gives the log-probabilities of the plain way, one full row an option."""
    prefix = show(model, noise_clip(8, side_of(model), side_of(model)))
    options = ["A", "yes", "3.0 - 4.5 seconds"]
    scores = option_scores(prefix, QUESTIONS[0], options)
    for option, score in zip(options, scores, strict=True):
        assert option_scores(prefix, QUESTIONS[0], [option]) == pytest.approx([score], abs=1e-4)
    assert scores[0] > scores[2]


def test_vision_tokens_are_never_sampled(model):
    """Even a model that wants nothing else cannot put a vision token into its answer."""
    head = copy.deepcopy(model.module.lm_head)
    head.weight.data[list(model.checkpoint.family.forbidden_ids)] *= 1000
    model.module.lm_head = head
    prefix = show(model, noise_clip(4, side_of(model), side_of(model)))
    for group in ids_of(model, prefix, QUESTIONS, SampleSpec(num_answers=4, temperature=1.0)):
        for ids in group:
            assert not set(ids) & set(model.checkpoint.family.forbidden_ids)


def test_question_before_the_video_works(qwen2_5_folder):
    """Time-R1's order: the answers are those of a prompt whose question stands first, and depend on it."""
    model = model_of(qwen2_5_folder, TimeEncoding.MROPE, text_first=True)
    prefix = show(model, noise_clip(8, 56, 56))
    together = ask(prefix, QUESTIONS)
    assert [g[0].text for g in together] == [ask(prefix, [q])[0][0].text for q in QUESTIONS]
    assert len({g[0].text for g in together}) > 1


def test_visibility_is_prefix_and_own_continuation():
    tree = Tree(2)
    tree.add(ROOT, 1)  # padding
    question, _ = tree.add(ROOT, 1), tree.add(ROOT, 1)
    tree.add(question, 1), tree.add(question, 1)
    expected = [
        [1, 1, 0, 1, 0, 0, 0],  # question 0
        [1, 1, 0, 0, 1, 0, 0],  # question 1
        [1, 1, 0, 1, 0, 1, 0],  # answer 0 of question 0
        [1, 1, 0, 1, 0, 0, 1],  # answer 1 of question 0
    ]
    assert np.array_equal(visibility(tree, 4), np.array(expected, bool))


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """A prefix, nodes below nodes drawn at random, and tokens that come to them later, as while sampling."""
    tree = Tree(draw(st.integers(0, 4)))
    for count in draw(st.lists(st.integers(0, 3), max_size=8)):
        tree.add(draw(st.integers(0, len(tree.parents) - 1)), count)
    leaves = sorted(set(range(len(tree.parents))) - set(tree.parents))
    tree.grow(draw(st.lists(st.sampled_from(leaves), max_size=6)))
    return tree


@given(trees(), st.data())
def test_a_token_sees_its_own_node_and_those_above_in_order(tree, data):
    def is_above(upper: int, node: int) -> bool:
        return upper == node or (node != ROOT and is_above(upper, tree.parents[node]))

    nodes = tree.nodes_L.tolist()
    expected = [[k <= q and is_above(nodes[k], nodes[q]) for k in range(len(nodes))] for q in range(len(nodes))]
    suffix = data.draw(st.integers(0, len(nodes)))
    seen = visibility(tree, suffix)
    assert seen.shape == (suffix, len(nodes)) and seen.tolist() == expected[len(nodes) - suffix :]
