"""ArrowGEV's direction term and T-GRPO's bonus, worked by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from timeground.train.config import GrpoSettings
from timeground.train.rewards import REWARDS

from timeground.errors import UserError

direction, shuffle_bonus, time_aware_iou = (REWARDS[n] for n in ("direction", "shuffle_bonus", "time_aware_iou"))
ABSENT = "It does not happen."


def term(text: str, backward, kind: str = "sensitive", reward=direction, **columns) -> float:
    """The direction term of one completion in a video of 100 s in which it happens from 20 to 40 s."""
    row = {"spans": [[20, 40]], "duration": 100.0, "direction": kind, "backward": backward} | columns
    (value,) = reward([text], **{name: [value] for name, value in row.items()})
    return value


@pytest.mark.parametrize(
    ("backward", "agreement"),
    [("60 - 80", 1.0), ("50 - 70", 1 / 3 * 0.9 * 0.9), ("0 - 10", 0.0), (ABSENT, 0.0), ("3 - 5, 60 - 80", 1.0)],
)
def test_agreement_with_the_mirrored_backward_answer(backward, agreement):
    assert term("20 - 40", backward) == pytest.approx(0.5 * (1 - agreement))
    assert term("20 - 40", backward, "insensitive") == pytest.approx(0.5 * agreement)
    assert term("20 - 40", backward, "unknown") == 0
    assert term("20 - 40", backward, reward=direction.with_options(alpha=0.2)) == pytest.approx(0.2 * (1 - agreement))


def test_it_is_compared_with_the_answer_and_not_with_the_truth():
    """ArrowGEV: the backward answer against the mirrored prediction, right or wrong."""
    assert term("70 - 90", "10 - 30", "insensitive") == pytest.approx(0.5)
    assert term("70 - 90", "60 - 80", "insensitive") == 0


def test_with_accuracy_it_makes_the_papers_total():
    row = {"spans": [[[20, 40]]], "duration": [100.0], "direction": ["sensitive"], "backward": ["50 - 70"]}
    accuracy, extra = time_aware_iou(["25 - 40"], **row)[0], direction(["25 - 40"], **row)[0]
    # mirror(p) = 60 - 75; with q = 50 - 70: IoU 10 / 25, edges 0.9 and 0.95
    assert accuracy + extra == pytest.approx(15 / 20 * 0.95 + 0.5 * (1 - 0.4 * 0.9 * 0.95))


def test_mirroring_happens_in_the_window():
    columns = {"window": [100, 200], "duration": 1000.0, "spans": [[120, 140]]}
    assert term("120 - 140", "160 - 180", "insensitive", **columns) == pytest.approx(0.5)
    assert term("120 - 140", "150 - 170", "insensitive", **columns) == pytest.approx(0.5 / 3 * 0.81)


@pytest.mark.parametrize(
    ("text", "backward"),
    [("no idea", "0 - 10"), ("", "0 - 10"), ("40 - 20", "0 - 10"), (ABSENT, "0 - 10"), ("20 - 40", "no idea"),
     ("20 - 40", "80 - 60"), (ABSENT, ABSENT), ("no idea", "")],
)  # fmt: skip
def test_unusable_answers_earn_nothing_unless_as_published(text, backward):
    published = direction.with_options(unparsed="published")
    assert term(text, backward) == term(text, backward, "insensitive") == 0
    assert term(text, backward, reward=published) == 0.5  # the exploit: (0, 0) agrees with nothing
    assert term(text, backward, "insensitive", reward=published) == 0


def test_several_backward_answers_count_by_their_mean():
    assert term("20 - 40", ["60 - 80", "0 - 10"]) == pytest.approx(0.25)
    assert term("20 - 40", ["60 - 80", "no idea"], "insensitive") == pytest.approx(0.25)
    assert term("20 - 40", []) == term("20 - 40", None) == 0


def test_backward_completions_are_compared_with_the_mirrored_truth():
    """No `backward` column is needed for them. That it does not happen is the ideal answer to a sensitive query."""
    texts = ["60 - 80", ABSENT, "0 - 10", "no idea", "80 - 60"]

    def terms(kind: str, **options) -> list[float]:
        n = len(texts)
        columns = {"spans": [[[60, 80]]] * n, "duration": [100.0] * n, "direction": [kind] * n}
        return direction(texts, **columns, is_backward=[True] * n, **options)

    assert terms("sensitive") == [0, 0.5, 0.5, 0, 0]
    assert terms("insensitive") == [0.5, 0, 0, 0, 0]
    assert terms("unknown") == [0] * 5
    assert terms("sensitive", unparsed="published") == [0, 0.5, 0.5, 0.5, 0.5]


def test_forward_completions_need_answers_about_the_reversed_clip():
    row = {"spans": [[[20, 40]]], "duration": [100.0], "direction": ["sensitive"]}
    with pytest.raises(UserError, match="direction: completion 0: needs the column backward"):
        direction(["20 - 40"], **row)
    assert direction(["20 - 40"], **row, backward=[None]) == [0]


def test_rows_without_an_event_and_questions_have_no_direction():
    assert term("20 - 40", ABSENT, spans=[]) == 0
    assert term("20 - 40", ABSENT, question="which?", options=["x", "y"], answer="A") == 0


OLD = {"output": "x", "steps": 1, "model": {"init": "tiny"}, "data": {"synth_seed": 0}}


@pytest.mark.parametrize(
    ("sampling", "options", "contrasts"),
    [
        ({"backward": "greedy"}, {}, ["reversed"]),
        ({"backward": "greedy"}, {"truth": "answer"}, ["reversed"]),
        ({"backward": "group"}, {"truth": "mirrored", "alpha": 0.2}, ["reversed_groups"]),
        ({"backward": "group", "shuffled": 2}, {"truth": "mirrored"}, ["reversed_groups", "shuffled"]),
        ({"backward": "none", "shuffled": 0}, {}, []),
    ],
)
def test_a_recipe_of_the_old_form_is_read_where_its_meaning_is_clear(sampling, options, contrasts):
    rewards = ["tiou", {"name": "direction", "options": options}]
    settings = GrpoSettings.model_validate(OLD | {"sampling": sampling, "rewards": rewards})
    assert [contrast.name for contrast in settings.contrasts] == contrasts
    assert "truth" not in settings.rewards[1].options or not contrasts
    assert settings.rewards[1].options.get("alpha") == options.get("alpha")


@pytest.mark.parametrize(
    ("sampling", "reward", "words"),
    [
        ({"backward": "greedy"}, {"name": "direction", "options": {"truth": "mirrored"}}, r"contrasts: \[reversed\]"),
        ({"backward": "group"}, "direction", "truth answer: write contrasts"),
        ({"backward": "some"}, "tiou", "sampling.backward 'some' is contrasts now"),
    ],
)
def test_an_old_recipe_whose_meaning_is_gone_says_what_the_key_is_called_now(sampling, reward, words):
    with pytest.raises(ValueError, match=words):
        GrpoSettings.model_validate(OLD | {"sampling": sampling, "rewards": [reward]})


spans = st.tuples(st.integers(0, 98), st.integers(1, 50)).map(lambda p: (p[0], min(100, p[0] + p[1])))


@given(p=spans, q=spans)
def test_reversing_both_clips_changes_nothing(p, q):
    """The term is symmetric: forward and backward answer may change places, each mirrored with the clip."""

    def text(span: tuple[int, int]) -> str:
        return f"{span[0]} - {span[1]}"

    for kind in ("sensitive", "insensitive"):
        assert term(text(p), text(q), kind) == pytest.approx(term(text(q), text(p), kind))
    both = term(text(p), text(q)) + term(text(p), text(q), "insensitive")
    assert both == pytest.approx(0.5)


def bonus(texts: list[str], shuffled: list[str], **options) -> list[float]:
    row = {"spans": [[20, 40]], "shuffled": shuffled, "group": 7}
    return shuffle_bonus.with_options(**options)(texts, **{name: [value] * len(texts) for name, value in row.items()})


RIGHT, HALF, WRONG = "20 - 40", "20 - 30", "70 - 90"


def test_the_bonus_goes_to_good_answers_of_groups_that_need_order():
    assert bonus([RIGHT, HALF, WRONG, ABSENT], [WRONG, WRONG]) == [0.3, 0.3, 0, 0]
    assert bonus([RIGHT, WRONG, WRONG, WRONG], [RIGHT, HALF]) == [0, 0, 0, 0]
    assert bonus([RIGHT, RIGHT, RIGHT, RIGHT, WRONG], [RIGHT]) == [0.3] * 4 + [0]  # exactly 0.8 is enough
    assert bonus([RIGHT, RIGHT, RIGHT, RIGHT, WRONG], [RIGHT], ratio=1.0) == [0] * 5
    assert bonus([HALF], [WRONG], floor=0.5) == [0] and bonus([RIGHT], [WRONG], bonus=1.0) == [1]
    assert bonus([RIGHT], []) == bonus([WRONG], [WRONG]) == [0]


def test_the_ratio_is_not_missed_by_rounding():
    three_of_five, three_of_four = [RIGHT] * 3 + [WRONG] * 2, [RIGHT] * 3 + [WRONG]
    assert 0.6 < 0.8 * 0.75  # in floating point
    assert bonus(three_of_five, three_of_four) == [0.3] * 3 + [0] * 2


def test_groups_are_separate_and_each_row_has_its_accuracy():
    texts = [RIGHT, "B", RIGHT, "A"]
    got = shuffle_bonus(
        texts,
        group=[1, 2, 1, 2],
        shuffled=[[RIGHT], ["A"], [RIGHT], ["A"]],
        spans=[[[20, 40]], [], [[20, 40]], []],
        question=[None, "which?", None, "which?"],
        options=[None, ["x", "y"], None, ["x", "y"]],
        answer=[None, "B", None, "B"],
    )
    assert got == [0.3, 0.3, 0.3, 0]
    named = bonus([HALF], [HALF], accuracy="wasserstein")
    assert named == [0.3]
    with pytest.raises(UserError, match="unknown reward 'accuracy'"):
        bonus([HALF], [HALF], accuracy="accuracy")


def test_columns_that_the_trainer_makes_are_missed_by_name():
    with pytest.raises(UserError, match="shuffle_bonus: the column group is missing"):
        shuffle_bonus([RIGHT], spans=[[[20, 40]]], shuffled=[[RIGHT]])
    with pytest.raises(UserError, match="shuffle_bonus: completion 0: needs the column shuffled"):
        shuffle_bonus([RIGHT], spans=[[[20, 40]]], group=[1])
