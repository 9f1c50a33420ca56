"""Rewards: every formula on published and hand-worked examples, in every form that completions and rows take."""

from __future__ import annotations

import functools
import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from timeground.train.rewards import REWARDS

from tests.support.spans_text import format_spans
from timeground.errors import UserError
from timeground.spans import Span

tiou, time_aware_iou, set_iou, wasserstein = (REWARDS[n] for n in ("tiou", "time_aware_iou", "set_iou", "wasserstein"))
parse_penalty, choice, grounded_choice = (REWARDS[n] for n in ("parse_penalty", "choice", "grounded_choice"))
exact = REWARDS["exact"]
format_think, format_answer, format_plain = (REWARDS[n] for n in ("format_think", "format_answer", "format_plain"))
GROUNDING = [tiou, time_aware_iou, set_iou, wasserstein]


def one(reward, text: str, **columns) -> float:
    """The reward of one completion; every column is given by its one value."""
    (value,) = reward([text], **{name: [value] for name, value in columns.items()})
    return value


def when(reward, text: str, spans: list, duration: float = 100.0, **columns) -> float:
    return one(reward, text, spans=spans, duration=duration, **columns)


@pytest.mark.parametrize(
    ("said", "published"), [("32 - 42", 0.82), ("50 - 55", 0.17), ("90 - 95", 0.003), ("0 - 100", 0.08)]
)
def test_wasserstein_on_the_examples_of_timelens2(said, published):
    digits = 3 if published < 0.01 else 2
    assert round(when(wasserstein, said, [[30, 40]]), digits) == published


def test_wasserstein_by_hand():
    assert when(wasserstein, "0 - 100", [[30, 40]]) == pytest.approx(math.exp(-25 / 10))
    assert when(wasserstein.with_options(beta=3.0), "32 - 42", [[30, 40]]) == pytest.approx(math.exp(-3 * 2 / 10))
    # two halves, each moved by 1 s; |truth| = 4 s, |both together| = 6 s
    two = "1 - 3, 11 - 13"
    assert when(wasserstein, two, [[0, 2], [10, 12]]) == pytest.approx(math.exp(-1 / 4))
    assert when(wasserstein.with_options(over="union"), two, [[0, 2], [10, 12]]) == pytest.approx(math.exp(-1 / 6))
    assert when(wasserstein, "5 - 9", [[3, 3]]) == 0


def test_iou_by_hand():
    assert when(tiou, "The event happens in 5.0 - 9.0 seconds.", [[5, 10]]) == pytest.approx(0.8)
    assert when(tiou, "<think>1 to 2</think><answer>5 to 9</answer>", [[5, 10]]) == pytest.approx(0.8)
    assert when(time_aware_iou, "5 - 9", [[5, 10]]) == pytest.approx(0.8 * 0.99)
    assert when(time_aware_iou, "20 - 40", [[30, 50]]) == pytest.approx(1 / 3 * 0.9 * 0.9)
    assert when(set_iou, "0 - 4, 2 - 6, 10 - 12", [[0, 6], [10, 14]]) == pytest.approx(8 / 10)


def test_of_several_spans_the_first_said_counts_against_the_one_it_fits_best():
    truth = [[0, 5], [20, 30]]
    assert when(tiou, "20 - 30", truth) == 1
    assert when(tiou, "21 - 30, 0 - 5", truth) == pytest.approx(0.9)
    assert when(tiou, "60 - 70, 0 - 5", truth) == 0
    assert when(tiou, "20 - 30, 9 - 3", truth) == 1  # a bad pair after the first is not looked at


@pytest.mark.parametrize("reward", GROUNDING, ids=lambda r: r.__name__)
def test_the_four_cases_that_all_agree_on(reward):
    assert when(reward, "It does not happen.", []) == 1
    assert when(reward, "[]", []) == 1
    assert when(reward, "It does not happen.", [[5, 9]]) == 0
    assert when(reward, "5 - 9", []) == 0
    for unusable in ("", "no idea", "9 - 5", "5 - 5", "at 7 s", "9.0 - 5.0 seconds"):
        assert when(reward, unusable, [[5, 9]]) == 0, unusable
        assert when(reward, unusable, []) == 0, unusable


def test_one_bad_pair_spoils_a_set_and_reversed_pairs_can_be_swapped():
    for reward in (set_iou, wasserstein):
        assert when(reward, "5 - 9, 7 - 7", [[5, 9]]) == 0
        assert when(reward, "9 - 5", [[5, 9]]) == 0
        lenient = reward.with_options(swap_reversed=True)
        assert when(lenient, "9 - 5", [[5, 9]]) == 1
        assert when(lenient, "5 - 9, 7 - 7", [[5, 9]]) == 0


@pytest.mark.parametrize(
    ("protocol", "paid"),
    [  # of: a reversed pair, a good one with one without length behind it, and with one before it
        (None, {"tiou": [0, 1, 0], "set_iou": [0, 0, 0]}),
        ("strict", {"tiou": [0, 1, 0], "set_iou": [0, 1, 1]}),
        ("timelens", {"tiou": [0, 1, 0], "set_iou": [0, 1, 0]}),
        ("timelens2", {"tiou": [1, 0, 0], "set_iou": [1, 0, 0]}),
        ("lenient", {"tiou": [1, 1, 0], "set_iou": [1, 1, 1]}),
    ],
)
def test_a_protocol_says_which_spans_count(protocol, paid):
    """Each pays as `timeground.scoring` scores; without one, as ever."""
    texts, truth = ["9 - 5", "5 - 9, 7 - 7", "7 - 7, 5 - 9"], [[5, 9]]
    options = {} if protocol is None else {"protocol": protocol}
    for name, expected in paid.items():
        assert [when(REWARDS[name].with_options(**options), text, truth) for text in texts] == expected, name
    aware = [when(time_aware_iou.with_options(**options), text, truth) for text in texts]
    assert aware == paid["tiou"]
    question = {"question": "which?", "options": ["x", "y"], "answer": "B"}
    both = grounded_choice.with_options(choice_weight=0, **options)
    assert [when(both, text, truth, **question) for text in texts] == paid["set_iou"]


def test_parse_penalty():
    texts = ["5 - 9", "It does not happen.", "", "9 - 5", "5 - 9, 7 - 7", "perhaps later"]
    assert parse_penalty(texts) == [0, 0, -1, -1, -1, -1]
    assert parse_penalty(["9 - 5"], swap_reversed=True) == [0]
    assert one(parse_penalty, "B", question="which?", options=["x", "y"], answer="B") == 0


def test_edges_are_measured_in_the_window():
    """20 s wide: errors of 2 s cost a tenth, though the file is 1000 s long."""
    within = when(time_aware_iou, "502 - 510", [[500, 510]], 1000.0, window=[500, 520])
    assert within == pytest.approx(0.8 * 0.9)
    assert when(time_aware_iou, "502 - 510", [[500, 510]], 1000.0, window=None) == pytest.approx(0.8 * 0.998)


def test_questions_are_not_scored_as_grounding():
    question = {"question": "what?", "options": ["runs", "sits"], "answer": "A"}
    for reward in GROUNDING:
        assert when(reward, "5 - 9", [[5, 9]], **question) == 0
        assert when(reward, "5 - 9", [[5, 9]], question="List the events.", answer=None) == 1


@pytest.mark.parametrize("reward", GROUNDING, ids=lambda r: r.__name__)
def test_on_reversed_clips_only_insensitive_rows_have_a_truth(reward):
    got = reward(
        ["5 - 9"] * 4,
        spans=[[[5, 9]]] * 4,
        duration=[100.0] * 4,
        is_backward=[True, True, True, False],
        direction=["insensitive", "sensitive", "unknown", "sensitive"],
    )
    assert got == [1, 0, 0, 1]


def test_conversational_completions_and_spans_as_objects():
    def said(content) -> dict:
        return {"role": "assistant", "content": content}

    completions = [
        [said("5 - 9")],
        [said([{"type": "text", "text": "5 - "}, {"type": "text", "text": "9"}])],
        [said("1 - 2"), {"role": "tool", "content": "3 - 4"}, said("5 - 9")],
        [said(None)],
        [],
        "5 - 9",
    ]
    columns = {"prompts": ["p"] * 6, "completion_ids": [[1]] * 6, "trainer_state": object(), "log_extra": print}
    assert tiou(completions, spans=[[Span(5, 9)]] * 6, **columns) == [1, 1, 1, 0, 0, 1]


def test_option_letters_and_yes_no():
    options = ["a cat", "a dog", "a bird"]
    texts = ["B", "(B) a dog", "<think>A?</think><answer>B</answer>", "a dog", "C", "none of these"]
    asked = {"options": [options] * 6, "question": ["which?"] * 6}
    assert choice(texts, answer=["B"] * 6, **asked) == [1, 1, 1, 1, 0, 0]
    assert choice(texts, answer=["a dog"] * 6, **asked) == [1, 1, 1, 1, 0, 0]
    assert choice(["Yes.", "no", "maybe"], answer=["yes"] * 3) == [1, 0, 0]
    assert choice(["Yes.", "no", "maybe"], answer=["No"] * 3) == [0, 1, 0]
    assert choice(["B", "A"], answer=["B", "B"]) == [1, 0]  # options only in the prompt
    assert choice(["a red ball", "5 - 9"], answer=["a red ball", None]) == [0, 0]
    assert choice(["B"] * 2, answer=["B"] * 2, is_backward=[True] * 2, direction=["unknown", "insensitive"]) == [0, 1]


def test_grounded_choice_adds_letter_and_iou():
    row = {"question": "who?", "options": ["a", "b", "c"], "answer": "B", "spans": [[5, 9]]}
    assert one(grounded_choice, "<answer>B</answer><time>5.0 - 9.0</time>", **row) == 2
    assert one(grounded_choice, "<answer>C</answer><time>5.0 - 7.0</time>", **row) == 0.5
    assert one(grounded_choice, "The answer is B. It happens in 5 - 7 seconds", **row) == 1.5
    assert one(grounded_choice, "B", **row) == 1
    halves = grounded_choice.with_options(choice_weight=0.25, iou_weight=0.75)
    assert one(halves, "<answer>C</answer><time>5.0 - 9.0</time>", **row) == 0.75
    assert one(grounded_choice, "5 - 9", spans=[[5, 9]], answer=None) == 0


def test_open_answers_are_compared_word_for_word():
    texts = [
        "A red  ball.",
        "<think>blue?</think><answer>a red ball</answer>",
        "the red ball",
        "a red ball, I think",
        "",
    ]
    asked = {"question": ["what?"] * 5, "answer": ["a red ball"] * 5}
    assert exact(texts, **asked) == [1, 1, 0, 0, 0]
    assert exact(texts, **asked, is_backward=[True] * 5, direction=["unknown"] * 5) == [0] * 5
    assert one(exact, "2 across, 5 down", question="where?", answer="2 across, 5 down.") == 1
    assert one(exact, "Yes", question="is it?", answer="yes") == 0
    assert one(exact, "B", question="which?", options=["x", "y"], answer="B") == 0
    assert one(exact, "5 - 9", question=None, answer=None) == 0


def test_forms():
    think = "<think>it rises\nthen</think>\n<answer>5 to 9</answer>"
    answer, plain = "<answer>5 to 9</answer>", "The event happens in 5.0 - 9.0 seconds."
    bad = [
        "",
        "so " + think,
        think + " ok",
        answer + answer,
        f"<think>a{think}",
        "<answer>5 to 9",
        "x <answer>5</answer>",
    ]
    texts = [think, answer, plain, "It does not happen.", *bad]
    assert format_think(texts) == [1, 0, 0, 0] + [0] * len(bad)
    assert format_answer(texts) == [0, 1, 0, 0] + [0] * len(bad)
    assert format_plain(texts) == [0, 0, 1, 1] + [0] * len(bad)
    long = plain + " indeed" * 30
    assert format_plain([long, "it rises.\n5 - 9", "<5.0> - <9.0>", "I see a man"]) == [0, 0, 1, 0]
    assert format_plain([long], max_chars=500) == [1]
    assert one(format_plain, "B", question="?", options=["x", "y"], answer="A") == 1
    assert one(format_plain, "x or y", question="?", options=["x", "y"], answer="A") == 0
    assert one(format_plain, "no", question="?", answer="yes") == 1
    assert one(format_plain, "red", question="?", answer="a red ball") == 1


def test_options_by_keyword_and_by_partial_and_columns_of_the_same_name_are_columns():
    row = {"spans": [[[30, 40]]]}
    expected = pytest.approx([math.exp(-0.6)])
    assert wasserstein(["32 - 42"], **row, beta=3.0) == expected
    assert functools.partial(wasserstein, beta=3)(["32 - 42"], **row) == expected
    assert wasserstein.with_options(beta=3)(["32 - 42"], **row, beta=[7.0]) == expected
    assert wasserstein.__name__ == "wasserstein" and "TimeLens2" in wasserstein.__doc__


def test_rewards_can_be_pickled():
    for reward in (*REWARDS.values(), wasserstein.with_options(beta=3.0)):
        again = pickle.loads(pickle.dumps(reward))
        assert (again.__name__, again.options) == (reward.__name__, reward.options)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: tiou(["5 - 9"]), "reward tiou: completion 0: the column spans is missing"),
        (lambda: time_aware_iou(["5 - 9"], spans=[[[5, 9]]]), "time_aware_iou: completion 0: the column duration is"),
        (lambda: tiou(["5 - 9"], spans=[]), "spans must be a list with a value for each of the 1 completions"),
        (lambda: tiou(["5 - 9"], spans=[[[5, 9]]], is_backward=True), "is_backward must be a list"),
        (lambda: tiou(["5 - 9"], spans=[None]), "reward tiou: completion 0: the column spans is missing or empty"),
        (lambda: tiou(["5 - 9"], spans=[[5, 9]]), "must hold seconds as [start, end], got 5"),
        (lambda: tiou(["5 - 9"], spans=[[[9, 5]]]), "ends before it starts"),
        (lambda: tiou(["5 - 9"], spans=[[[5, math.nan]]]), "must hold seconds"),
        (lambda: tiou(["5 - 9"], spans=["5 - 9"]), "must hold a list of [start, end]"),
        (lambda: when(time_aware_iou, "5 - 9", [[5, 9]], 0.0), "column duration must hold more than 0 seconds"),
        (lambda: when(tiou, "5 - 9", [[5, 9]], is_backward=True, direction="up"), "direction must be one of"),
        (lambda: tiou([7], spans=[[]]), "a completion must be a text or a list of messages"),
        (lambda: choice(["B"], answer=["D"], options=[["x", "y"]]), "no letter or text of an option"),
        (lambda: choice(["B"], answer=[2]), "must hold a letter, yes, no or a text, got 2"),
        (lambda: wasserstein.with_options(bta=3), "reward wasserstein: unknown option bta; it takes beta, over"),
        (lambda: choice.with_options(beta=3), "unknown option beta; it takes none"),
        (lambda: wasserstein.with_options(beta=-1), "option beta is -1"),
        (lambda: wasserstein.with_options(over="all"), "option over is 'all'"),
    ],
)
def test_mistakes_are_one_line_that_says_where(call, words):
    with pytest.raises(UserError) as error:
        call()
    assert words in str(error.value) and "\n" not in str(error.value)


times = st.floats(0, 1000).map(lambda t: round(t, 1))
pairs = st.tuples(times, times).filter(lambda p: p[0] < p[1]).map(list)
sets = st.lists(pairs, max_size=4)
answers = st.one_of(
    sets.map(lambda s: format_spans([Span(*p) for p in s])),
    st.text(max_size=40),
    st.tuples(times, times).map(lambda p: f"{p[0]} - {p[1]}"),
    st.sampled_from(["<answer>5 to 9</answer>", "B", "yes", "<think>", "none", "0 - 0", "1e9 - 2e9"]),
    st.sampled_from(["5.0 - 8.0: it turns", "5 - 9: it turns\n1 - 2: It turns.", "A ball."]),
)
RANGES = {
    "tiou": (0, 1), "time_aware_iou": (0, 1), "set_iou": (0, 1), "wasserstein": (0, 1), "parse_penalty": (-1, 0),
    "format_think": (0, 1), "format_answer": (0, 1), "format_plain": (0, 1), "choice": (0, 1),
    "grounded_choice": (0, 2), "exact": (0, 1), "events": (0, 1), "direction": (0, 0.5), "shuffle_bonus": (0, 0.3),
}  # fmt: skip


@given(
    texts=st.lists(answers, min_size=1, max_size=4),
    spans=sets,
    other=answers,
    direction=st.sampled_from(["sensitive", "insensitive", "unknown"]),
    is_backward=st.booleans(),
    answer=st.sampled_from([None, "A", "yes", "a ball"]),
    meta=st.sampled_from([None, {"events": []}, {"events": [{"query": "it turns", "span": [5.0, 9.0]}]}]),
)
def test_every_reward_stays_in_its_range_whatever_is_said(texts, spans, other, direction, is_backward, answer, meta):
    assert set(RANGES) == set(REWARDS)
    row = {"spans": spans, "duration": 1000.0, "direction": direction, "is_backward": is_backward, "answer": answer}
    row |= {"backward": other, "shuffled": [other], "group": 0, "question": answer, "meta": meta}
    for name, (low, high) in RANGES.items():
        values = REWARDS[name](texts, **{column: [value] * len(texts) for column, value in row.items()})
        assert len(values) == len(texts) and all(low <= value <= high for value in values), name


@given(said=sets, true=sets)
def test_grounding_rewards_do_not_change_when_the_video_is_played_backwards(said, true):
    """Mirroring both sides keeps every reward that looks at all spans, or has one span to look at."""

    def mirrored(spans: list) -> list:
        return [[round(1000 - end, 1), round(1000 - start, 1)] for start, end in spans]

    for reward in GROUNDING:
        if reward in (tiou, time_aware_iou) and len(said) > 1:
            continue
        there, back = (
            when(reward, format_spans([Span(*p) for p in s]), t, 1000.0)
            for s, t in ((said, true), (mirrored(said), mirrored(true)))
        )
        assert there == pytest.approx(back, abs=1e-9)


@given(true=sets.filter(bool))
def test_saying_the_truth_is_best(true):
    said = format_spans([Span(*p) for p in true])
    for reward in GROUNDING:
        assert when(reward, said, true, 1000.0) == pytest.approx(1)
