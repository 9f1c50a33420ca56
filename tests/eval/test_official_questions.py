"""The evaluators of question benchmarks on cases worked by hand, and TempCompass' own grades."""

from __future__ import annotations

import json

import pytest
from timeground.eval.official import EVALUATORS, dynbench, longvideobench, lvbench, mlvu, mvbench, tempcompass, videomme
from timeground.eval.predictions import read_predictions
from timeground.eval.reading import Prediction
from timeground.eval.tasks import get_spec, load_task

from tests.eval.helpers import choice, said

# TempCompass


TABLES = {
    "video-llava": (1580, {
        "action": 76.0, "direction": 35.2, "speed": 35.6, "order": 37.7, "attribute_change": 41.0, "avg": 45.6
    }),
    "reka-core": (1058, {
        "action": 77.5, "direction": 18.2, "speed": 30.3, "order": 46.0, "attribute_change": 33.3, "avg": 41.4
    }),
}  # fmt: skip
"""How many published grades the rules decide, and the table that they give."""


@pytest.mark.realdata
@pytest.mark.parametrize("model", TABLES)
def test_tempcompass_reproduces_the_graded_file(realdata, model):
    task = load_task(get_spec("tempcompass"), data=realdata)
    graded = json.loads((realdata / "tempcompass" / f"{model}_multi-choice_graded.json").read_text())
    items = {(v, q["question"]): q for v, aspects in graded.items() for listed in aspects.values() for q in listed}
    found = read_predictions([realdata / "tempcompass" / f"{model}_multi-choice_predictions.json"], task.rows)
    num_decided, table = TABLES[model]
    decided = 0
    for row in task.rows:
        item = items[row.video.removesuffix(".mp4"), row.meta["question"]]
        grade = tempcompass.graded(tempcompass.grade_multi_choice, row, found.by_row[row.id])
        assert (grade is not None) == item["match_success"]
        if grade is not None:
            assert grade == bool(item["rating"])
            decided += 1
    assert decided == num_decided
    assert {name: round(value, 1) for name, value in task.score(found.by_row).layouts["official"].items()} == table


QUESTION, ANSWER = "What?\nA. dunk\nB. pass\nC. Both", "B. pass"


@pytest.mark.parametrize(
    ("reply", "grade"),
    [
        ("B. pass", True), ("B", True), ("A", False), ("B.", True), ("B) pass", True), ("A. dunk", False),
        ("E", None), ("b", None), ("(B)", None), ("The answer is B", None), ("", None), ("B pass", None),
    ],
)  # fmt: skip
def test_multiple_choice_rules(reply, grade):
    assert tempcompass.grade_multi_choice(reply, QUESTION, ANSWER) is grade


def test_yes_no_rules():
    grade = tempcompass.grade_yes_no
    assert grade("Yes, it is", "", "yes") is True and grade("Not sure", "", "no") is True
    assert grade("It is", "", "yes") is None and grade("yesterday", "", "no") is False


def test_matching_rules():
    question, answer = "Which?\nCaption A: a dog runs\nCaption B: a dog sits", "Caption B: a dog sits"
    grade = lambda reply: tempcompass.grade_matching(reply, question, answer)  # noqa: E731
    assert grade("Caption B: a dog sits") is grade("a dog sits") is grade("Caption B") is grade("Caption B.") is True
    assert grade("B) a dog sits") is True and grade("Caption A") is False and grade("2) a dog runs") is False
    assert grade("B") is grade("B.") is True and grade("A") is False
    assert grade("C") is None and grade("the second") is None
    numbered = "Which?\nOption 1: a dog runs\nOption 2: a dog sits"
    assert tempcompass.grade_matching("1", numbered, "Option 1: a dog runs") is True
    assert tempcompass.grade_matching("2.", numbered, "Option 1: a dog runs") is False


def test_tempcompass_strips_replies_and_does_not_ask_about_none():
    row = choice("1", "B", options=("dunk", "pass", "Both"), aspect="action", question=QUESTION)
    row.meta["answer"] = ANSWER
    for reply in (" B. pass", "B. pass\n", " B</s>", "B </s>"):
        assert EVALUATORS["tempcompass-multi-choice"]([row], {"1": said(reply)}).metrics["accuracy"] == 100
    refused = EVALUATORS["tempcompass-multi-choice"]([row], {"1": Prediction()})
    assert refused.metrics["accuracy"] == 0 and refused.notes == ()


def test_tempcompass_says_what_gpt_would_have_judged():
    row = choice("1", "B", options=("dunk", "pass", "Both"), aspect="action", question=QUESTION)
    row.meta["answer"] = ANSWER
    found = EVALUATORS["tempcompass-multi-choice"]([row], {"1": said("surely the pass</s>")})
    assert found.metrics == {"accuracy": 0, "accuracy/action": 0} and "asks GPT about 1" in found.notes[0]
    assert EVALUATORS["tempcompass-multi-choice"]([row], {"1": said("B</s>")}).metrics["accuracy"] == 100


# Letters


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("B", "B"), ("The best answer is: C.", "C"), ("The answer is D", "D"), ("(B) since", "B"),
        ("Best answer: A", "B"),  # the phrase is not taken out, and "Best" begins with B
        ("Apple", "A"), ("I cannot tell", ""), ("", ""),
        ("none of the options seems right to me, in my humble view at least", ""),
    ],
)  # fmt: skip
def test_videomme_takes_the_first_capital(reply, letter):
    assert videomme.letter(reply) == letter


def test_videomme_leaves_out_what_it_cannot_read():
    rows = [choice(str(i), "B", duration="short", domain="D", task_type="T") for i in range(3)]
    found = EVALUATORS["videomme"](rows, {"0": said("B"), "1": said("dunno")})
    assert found.metrics["accuracy"] == 100 and found.metrics["accuracy/short"] == 100
    assert found.notes == ("official leaves 2 rows without a readable letter out",)


def test_longvideobench_counts_a_drawn_letter_by_its_chance():
    assert longvideobench.letter("Best answer: A") == "A" and longvideobench.letter("Extra") == "E"
    rows = [choice(str(i), "B", duration_group=15) for i in range(2)]
    found = EVALUATORS["longvideobench"](rows, {"0": said("B"), "1": said("no idea")})
    assert found.metrics["accuracy"] == pytest.approx(62.5) and "draws 1" in found.notes[0]


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        ("B", True), ("(B)", True), ("(B) y", True), ("b.", True), ("B) y", True), ("(B", True), ("", True),
        ("...", True), ("A", False), ("Answer: B", False), ("B, y", False), ("((B))", True),
    ],
)  # fmt: skip
def test_mvbench_matching_and_its_gap(reply, right):
    assert mvbench.is_right(reply, "B") is right


def test_mvbench_and_tvbench_are_shares_of_all_items():
    rows = [
        choice("1", "A", task="t"),
        choice("2", "A", task="t"),
        choice("3", "A", task="t"),
        choice("4", "A", task="u"),
    ]
    predictions = {"1": said("A"), "2": said("B"), "3": said("B"), "4": said("")}
    found = EVALUATORS["mvbench"](rows, predictions)
    assert found.metrics["Avg"] == 50 and found.metrics["accuracy/t"] == pytest.approx(100 / 3)
    assert "1 empty" in found.notes[0]
    assert EVALUATORS["tvbench"](rows, predictions).metrics["accuracy"] == 50


def test_mvbench_looks_at_the_first_line():
    row = choice("1", "A", task="t")
    assert EVALUATORS["mvbench"]([row], {"1": said("A\nbecause it turns")}).metrics["Avg"] == 100
    assert EVALUATORS["mvbench"]([choice("1", None, task="t")], {"1": said("A")}).metrics["Avg"] == 0


def test_mlvu():
    assert [mlvu.letter(reply) for reply in ("B) y", "(B)", "It is (C) z", "B", "b", ")", "B.", "")] == [
        "B", "B", "C", "B", "b", "", "B.", ""
    ]  # fmt: skip
    rows = [
        choice("1", "B", task="t"),
        choice("2", "B", task="t"),
        choice("3", "B", task="u"),
        choice("4", "B", task="u"),
    ]
    replies = {"1": said("B) y"), "2": said("(B)"), "3": said("B"), "4": said("b")}
    assert EVALUATORS["mlvu"](rows, replies).metrics["M-Avg"] == 75
    uneven = EVALUATORS["mlvu"](rows[:3], {"1": said("B"), "2": said("C"), "3": said("B")})
    assert uneven.metrics["M-Avg"] == 75 and uneven.metrics["accuracy"] == pytest.approx(200 / 3)


def test_an_item_without_a_right_answer_is_wrong_whatever_is_said():
    row = choice("1", None, task="t")
    for reply in ("", "A", "dunno", "None"):
        assert EVALUATORS["mlvu"]([row], {"1": said(reply)}).metrics["M-Avg"] == 0


def test_lvbench_keeps_what_is_no_letter_and_counts_every_type():
    rows = [choice("1", "B", types=["ER", "TG"]), choice("2", "A", types=["ER"]), choice("3", "A", types=["TG"])]
    found = EVALUATORS["lvbench"](rows, {"1": said("B"), "2": said("hm")})
    assert found.metrics == {"accuracy": 50, "accuracy/ER": 50, "accuracy/TG": 100}
    assert found.notes == ("official leaves 1 questions without a prediction out",)


def test_lvbench_compares_answers_as_given_and_polishes_replies():
    said_ = [lvbench.polished(reply) for reply in (" B", "(B) y", "B) y", "B.", "The answer is B", "", "( C )")]
    assert said_ == ["B", "B", "B", "B", "T", "", "C"]
    row = choice("1", "B", types=["ER"])
    assert EVALUATORS["lvbench"]([row], {"1": said("(B) y")}).metrics["accuracy"] == 100
    assert EVALUATORS["lvbench"]([row], {"1": Prediction(text="(B)", answer="(B)")}).metrics["accuracy"] == 0


def test_nextqa_stops_at_a_missing_answer():
    rows = [choice("1_0", "D", kind="C"), choice("1_1", "A", kind="T")]
    found = EVALUATORS["nextqa"](rows, {"1_0": Prediction(answer=3), "1_1": Prediction(answer=2)})
    assert found.metrics == {"accuracy": 50, "accuracy/C": 100, "accuracy/T": 0}
    assert found.layout == {"Acc_C": 100, "Acc_T": 0, "Acc": 50}
    stopped = EVALUATORS["nextqa"](rows, {"1_0": Prediction(answer=3)})
    assert set(stopped.metrics.values()) == {None} and "official stops" in stopped.notes[0]


def test_dynbench():
    assert [dynbench.first_token(t) for t in ("b.", "B) x", "(B)", "", " c!? ")] == ["B", "B)", "(B)", "", "C"]
    rows = [choice("1", "B", level="qa"), choice("2", "B", level="qa"), choice("3", "B", level="sceneqa")]
    found = EVALUATORS["dynbench"](rows, {"1": said("b."), "2": said("(B)"), "3": said("B")})
    assert found.metrics["Overall"] == 75
