"""The strict protocol: every row counts, nothing is given away."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from timeground.eval.reading import Prediction
from timeground.eval.score import score
from timeground.eval.strict import choice_judge, grounding_judge, nextgqa_judge, rextime_judge, vue_judge, yes_no_judge
from timeground.eval.strict_qvhighlights import qvhighlights_judge
from timeground.eval.task_spec import TaskSpec

from tests.eval.helpers import choice, ground, said, spans
from timeground.errors import UserError

JUDGE = grounding_judge((0.5,), with_sets=True)


@pytest.mark.parametrize(
    ("prediction", "iou", "whole"),
    [
        (said("The event happens in 10 - 15 seconds."), 0.5, 0.5),
        (said("from 12.5s to 20.0s"), 0.75, 0.75),
        (said("20 - 10 seconds"), 0, 0),
        (said("it does not happen"), 0, 0),
        (said("hm"), 0, 0),
        (None, 0, 0),
        (spans((10, 20)), 1, 1),
        (spans((20, 10)), 0, 0),
        (spans((10, float("nan"))), 0, 0),
        (spans((float("-inf"), float("inf"))), 0, 0),
        (spans(), 0, 0),
        (spans((0, 5), (10, 20)), 0, 10 / 15),
        (Prediction(text="nothing to read here", spans=((10.0, 20.0),)), 0, 0),
    ],
)
def test_grounding(prediction, iou, whole):
    found = JUDGE(ground("1", (10, 20)), prediction)
    assert found.values == pytest.approx({"R1@0.5": float(iou >= 0.5), "mIoU": iou, "set IoU": whole})


def test_saying_that_nothing_happens_is_right_only_where_nothing_does():
    nothing = ground("1")
    assert JUDGE(nothing, said("It does not happen.")).values["mIoU"] == 1
    assert JUDGE(nothing, spans()).values["set IoU"] == 1
    assert JUDGE(nothing, said("hm")).values["mIoU"] == JUDGE(nothing, None).values["set IoU"] == 0
    assert JUDGE(nothing, said("1 - 2")).values["mIoU"] == 0


def test_questions():
    judge = choice_judge(("task",))
    row = choice("1", "B", task="t")
    assert judge(row, said("The answer is B.")).values == {"accuracy": 1, "accuracy/t": 1}
    for wrong in (None, said(""), said("..."), said("A")):
        assert judge(row, wrong).values["accuracy"] == 0
    assert judge(row, said("")).failure and judge(row, said("A")).failure is None
    yes_no = choice("2", "no", options=("yes", "no"))
    yes_no.options = None
    assert yes_no_judge(())(yes_no, said("No.")).correct and not yes_no_judge(())(yes_no, said("maybe")).correct


def test_a_question_without_a_right_answer_is_never_right():
    row = choice("1", None, spans=[(0, 10)])
    for said_ in (None, said(""), said("A"), said("hm")):
        assert choice_judge(())(row, said_).values == {"accuracy": 0}
        assert nextgqa_judge(row, said_).values["Acc@QA"] == rextime_judge(row, said_).values["VQA"] == 0


def test_nextgqa():
    row = choice("1", "B", spans=[(0, 10), (50, 60)])
    found = nextgqa_judge(row, said("<answer>B</answer><time>5 - 15</time>")).values
    assert found["Acc@GQA"] == 1 and found["mIoP"] == 0.5 and found["mIoU"] == pytest.approx(1 / 3)
    point = nextgqa_judge(row, spans((5, 5), answer="B"))
    assert point.values["mIoP"] == 0 and point.values["Acc@GQA"] == 0 and point.values["Acc@QA"] == 1
    assert set(nextgqa_judge(row, None).values.values()) == {0}
    assert nextgqa_judge(row, spans((0, 10), answer="A")).values["Acc@GQA"] == 0


def test_rextime():
    row = choice("1", "B", spans=[(0, 10)])
    found = rextime_judge(row, spans((0, 5), answer="B")).values
    assert found["VQA,mIoU@0.5"] == 1 and found["VQA,mIoU@0.7"] == 0 and found["R1@0.5"] == 1
    assert set(rextime_judge(row, None).values.values()) == {0}


def test_vue():
    row, empty = ground("1", (0, 20)), ground("2")
    assert vue_judge(row, spans((0, 10), (10, 20))).values == pytest.approx(
        {"IoU AUC": 0.995, "precision AUC": 1, "recall AUC": 1, "mIoU": 1}
    )
    half = vue_judge(row, spans((10, 20), (10, 20), (40, 30))).values
    assert half == pytest.approx({"IoU AUC": 0.495, "precision AUC": 1, "recall AUC": 0.505, "mIoU": 0.5})
    assert vue_judge(empty, spans()).values["precision AUC"] == 1
    inside = ground("3", (0.1, 33.3), (40.7, 90.9))
    for pair in ((0.3, 0.7), (1.1, 2.3), (41.1, 59.7)):  # 0.7 - 0.3 + 82.4 - 82.4... would lose the last threshold
        assert vue_judge(inside, spans(pair)).values["precision AUC"] == 1
        assert vue_judge(ground("4", pair), spans((0.1, 90.9))).values["recall AUC"] == 1
    for nothing in (None, said("?"), spans(), spans((20, 0))):
        assert set(vue_judge(row, nothing).values.values()) == {0}  # officially 0 >= 0 is worth half a percent


def test_qvhighlights_closes_the_gaps():
    judge = qvhighlights_judge(with_highlights=False)
    row = ground("1", (0, 4))
    assert judge(row, spans((4, 0))).values["MR-full-mAP"] == 0  # official: a hit
    assert judge(row, None).values["MR-full-mAP"] == 0 and judge(row, spans()).values["MR-full-R1@0.5"] == 0
    late = spans(*[(50, 60)] * 10, (0, 4), scores=(*[0.1] * 10, 0.9))
    found = judge(row, late).values
    assert found["MR-full-mAP"] == 1 and found["MR-full-R1@0.5"] == 1 and found["MR-short-mAP"] == 1
    assert "MR-long-mAP" not in found
    bad_score = spans((0, 4), (50, 60), scores=(float("nan"), 0.1))
    assert judge(row, bad_score).values["MR-full-R1@0.5"] == 0


def test_qvhighlights_highlights():
    judge = qvhighlights_judge(with_highlights=True)
    row = ground("1", (0, 4), duration=8.0, relevant_clip_ids=[0, 1], saliency_scores=[[4, 4, 4], [4, 4, 4]])
    assert judge(row, Prediction(saliency=(3, 2, 1, 0))).values["HL-min-VeryGood-mAP"] == 1
    for nothing in (None, spans((0, 4)), Prediction(saliency=()), Prediction(saliency=(3, 2, math.nan, 0))):
        found = judge(row, nothing).values
        assert found["HL-min-Fair-mAP"] == found["HL-min-Fair-Hit1"] == 0


TIMES = st.floats(min_value=-5, max_value=120) | st.floats()
PREDICTIONS = st.one_of(
    st.none(),
    st.text(max_size=30).map(said),
    st.lists(st.tuples(TIMES, TIMES), max_size=4).map(lambda pairs: spans(*pairs)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(PREDICTIONS, min_size=3, max_size=3), st.sampled_from(["", "sets", "vue-tr", "qvhighlights"]))
def test_whatever_is_predicted_every_number_is_a_share_over_all_rows(predictions, judging):
    rows = [ground("0", (1, 9)), ground("1", (20, 80)), ground("2", (3, 5), (50, 100))]
    given_ = {str(i): p for i, p in enumerate(predictions) if p is not None}
    found = score(TaskSpec("t", judging=judging), rows, given_)
    assert found.counts.rows == 3 and found.counts.missing == 3 - len(given_)
    assert found.official is None and all(0 <= value <= 100 for value in found.strict.values())
    assert len(found.samples) == 3
    found.to_text()


def test_an_evaluator_that_lacks_what_it_needs_says_so():
    for official, judging in (("tempcompass-multi-choice", ""), ("qvhighlights", "qvhighlights")):
        with pytest.raises(UserError, match="meta"):
            spec = TaskSpec("t", official=official, judging=judging)
            score(spec, [ground("1", (0, 4))], {"1": Prediction("", saliency=(1.0,))})


def test_no_answer_at_all_scores_nothing():
    found = score(TaskSpec("t", official="charades"), [ground("0", (1, 9)), ground("1", (2, 3))], {})
    assert set(found.strict.values()) == {0} and found.official["mIoU"] is None
    assert found.counts.missing == 2 and found.counts.parse_failure_rate == 0
