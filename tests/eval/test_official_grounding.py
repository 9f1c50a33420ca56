"""The grounding evaluators on cases worked by hand, degenerate ones included."""

from __future__ import annotations

import pytest
from timeground.eval.official import EVALUATORS, charades, charades_2025, tan2d, time_r1, timelens
from timeground.eval.official.nextgqa import best_iou_iop
from timeground.eval.reading import Prediction
from timeground.eval.score import score
from timeground.eval.task_spec import TaskSpec

from tests.eval.helpers import choice, ground, said, spans
from timeground.errors import UserError

# (reply, lmms-eval of February 2025, TimeLens, Time-R1): the table of public parsers
PARSERS = [
    ("The event happens in 24.3 - 30.4 seconds.", (24.3, 30.4), [(24.3, 30.4)], None),
    ("from 12.5s to 20.1s", None, [(12.0, 20.0)], None),
    ("12.5 seconds to 20.1 seconds", None, [(12.5, 20.1)], None),
    ("00:24.30 - 00:30.40", (0.0, 24.3), [(24.3, 30.4)], None),
    ("30.4 - 24.3 seconds", (24.3, 30.4), [(30.4, 24.3)], None),
    ("[24.3, 30.4]", None, [(24.3, 30.4)], None),
    ("<answer>3.5 to 10.2</answer>", (3.5, 10.2), [(3.5, 10.2)], (3.5, 10.2)),
    ("2 people enter from 5.0 seconds and leave at 9.0 seconds", None, [(2.0, 5.0)], None),
    ("5 - 9 and 20 - 25 seconds", (5, 9), [(5, 9), (20, 25)], (9, 20)),
    ("", None, [], None),
    ("nothing", None, [], None),
    ("1 to 2, no, 3 and 4", (1, 2), [(1, 2)], (3, 4)),
    ("01:00:10 until 01:00:20.5", None, [(3610, 3620.5)], None),
    ("only 7", None, [], None),
    ("A specific example is : 20.8 - 30.0 seconds. 1 - 2", (1, 2), [(20.8, 30.0), (1, 2)], None),
]


@pytest.mark.parametrize(("text", "lmms", "lens", "r1"), PARSERS)
def test_every_evaluator_keeps_its_own_parser(text, lmms, lens, r1):
    assert charades_2025.parse(text) == lmms
    assert timelens.parse(text) == lens
    assert time_r1.parse(text) == r1


@pytest.mark.parametrize(
    ("text", "today", "early_2025"),
    [
        ("24.3s - 30.4s", (24.3, 30.4), None),
        ("24.3 – 30.4", (24.3, 30.4), None),
        ("00:24 - 00:30", (24, 30), (0, 24)),
        ("01:00:10 until 01:00:20", (3610, 3620), None),
        ("the event happens from 12.5s to 20.1s", (12.5, 20.1), None),
        ("It starts at 5.\nIt ends at 9", (5, 9), (5, 9)),
        ("one\n5\n9", (5, 9), None),
        ("2 people. Happens in 30.4 - 24.3", (24.3, 30.4), (24.3, 30.4)),
        ("no time 1 - 2!the event happens in 3 - 4", (3, 4), (1, 2)),
        ("The start time is 0 seconds, and the end time is 12 seconds.", None, None),
        ("stop", None, None),
    ],
)
def test_lmms_eval_reads_otherwise_today(text, today, early_2025):
    assert charades.parse(text) == today and charades_2025.parse(text) == early_2025


def test_both_releases_of_lmms_eval_are_there():
    row = ground("a", (24, 30))
    assert EVALUATORS["charades"]([row], {"a": said("00:24 - 00:30")}).metrics["mIoU"] == 100
    assert EVALUATORS["charades-2025"]([row], {"a": said("00:24 - 00:30")}).metrics["mIoU"] == 0


def test_lmms_eval_of_2025_falls_back_to_one_number_a_sentence():
    parse = charades_2025.parse
    assert parse("Starting time: 0.8 seconds\nEnding time: 1.1 seconds") == (0.8, 1.1)
    assert parse("The start time is 0 seconds, and the end time is 12 seconds.") is None  # one sentence
    assert parse("It starts at 00:00:18!\nIt ends at 00:00:23") == (0, 0)  # "00" is found first
    assert parse("one\n5\n9") is None  # no word that speaks of time


def test_charades_arithmetic():
    rows = [ground("a", (10, 20)), ground("b", (0, 10)), ground("c", (5, 15)), ground("d", (0, 4))]
    predictions = {"a": said("10 - 15"), "b": said("10 - 0"), "c": said("no idea")}
    found = EVALUATORS["charades"](rows, predictions)
    assert found.metrics == pytest.approx(
        {"R1@0.3": 200 / 3, "R1@0.5": 200 / 3, "R1@0.7": 100 / 3, "mIoU": 50.0}
    )  # 0.5, 1 (swapped), 0; "d" is not in the file
    assert "leaves 1 rows" in found.notes[0]
    assert EVALUATORS["charades"](rows, {}).metrics["mIoU"] is None


def test_rows_that_cannot_be_told_apart_collapse():
    rows = [ground("a", (0, 10), video="v.mp4"), ground("b", (0, 10), video="v.mp4"), ground("c", (0, 10))]
    found = EVALUATORS["charades"](rows, {"a": said("0 - 10"), "b": said("50 - 60"), "c": said("50 - 60")})
    assert found.metrics["mIoU"] == 0 and "repeat another" in found.notes[0]


def test_official_truth_is_the_published_one():
    row = ground("a", (10, 20), published_spans=[[10.0, 30.0]])
    assert EVALUATORS["charades"]([row], {"a": spans((10, 30))}).metrics["mIoU"] == 100
    assert EVALUATORS["tan2d"]([row], {"a": spans((10, 20))}).metrics["mIoU"] == 100  # its loader clamps


def test_timelens_rounds_replies_and_takes_given_spans_as_they_are():
    row = ground("a", (10, 20), duration=30.0)
    iou = lambda prediction: EVALUATORS["timelens"]([row], {"a": prediction}).metrics["mIoU"]  # noqa: E731
    assert iou(said("10.4 - 19.6 seconds")) == 100
    assert iou(spans((10.4, 19.6))) == pytest.approx(92)
    assert iou(said("20.0 - 10.0")) == 0 and iou(said("none")) == 0
    assert iou(Prediction(text="5 - 9", spans=((10.0, 20.0),))) == 100
    assert iou(Prediction(text="10 - 20", spans=())) == 0  # its file says that nothing was read
    point = ground("p", (5, 5))
    assert EVALUATORS["timelens"]([point], {"p": spans((5, 5))}).metrics["mIoU"] == 0  # there: division by zero


def test_time_r1_wants_more_than_the_threshold():
    rows = [ground("a", (0, 10)), ground("b", (0, 10))]
    found = EVALUATORS["time-r1"](rows, {"a": said("thinking 1 to 2 ... 0 to 5"), "b": said("10 to 0")})
    assert found.metrics == {"R1@0.3": 50, "R1@0.5": 0, "R1@0.7": 0, "mIoU": 25}


def test_tan2d_ranks():
    rows = [ground("a", (0, 10)), ground("b", (0, 10))]
    found = EVALUATORS["tan2d"](rows, {"a": spans((50, 60), (0, 9)), "b": spans((0, 3))})
    assert found.metrics == {
        "R1@0.1": 50, "R1@0.3": 0, "R1@0.5": 0, "R5@0.1": 100, "R5@0.3": 50, "R5@0.5": 50, "mIoU": 15
    }  # fmt: skip
    assert "R5@0.1" not in tan2d.evaluate(rows, {"b": spans((0, 3))}).metrics


def test_tan2d_leaves_out_what_overlaps_a_better_span():
    kept = lambda *pairs, at=0.4: tan2d.without_overlaps(spans(*pairs), at).spans  # noqa: E731
    assert kept((0, 10), (0, 9), (20, 30)) == ((0, 10), (20, 30))
    assert kept((0, 10), (6, 16), (0, 4)) == ((0, 10), (6, 16), (0, 4))  # IoU 0.25; 0.4 is not over 0.4
    assert kept((5, 5), (5, 5), (0, 10)) == ((5, 5), (0, 10))  # 0/0 counts as overlap
    assert len(kept(*((10 * i, 10 * i + 1) for i in range(9)))) == 5
    rows = [ground("a", (20, 30))]
    said_spans = {"a": spans((0, 10), (0, 9), (0, 9.5), (1, 10), (0.5, 10), (20, 30))}
    assert score(TaskSpec("t", official="tan2d"), rows, said_spans).official["R5@0.5"] == 0
    assert score(TaskSpec("t", official="tan2d", nms=0.4), rows, said_spans).official["R5@0.5"] == 100
    with pytest.raises(UserError, match="nms is 4"):
        TaskSpec("t", nms=4)


def test_single_span_evaluators_refuse_rows_without_a_span():
    for name in ("charades", "timelens", "time-r1", "tan2d"):
        with pytest.raises(UserError, match="row a: no true span"):
            EVALUATORS[name]([ground("a")], {"a": said("1 - 2")})


# NExT-GQA


def test_iou_and_iop_are_maximised_apart():
    truth = [(0.0, 4.0), (10.0, 100.0)]
    assert best_iou_iop((2.0, 12.0), truth) == pytest.approx((2 / 12, 0.2))
    assert best_iou_iop((0.0, 20.0), truth) == pytest.approx((4 / 20, 0.5))  # IoU from one, IoP from the other
    assert best_iou_iop((50.0, 50.0), truth) == (0, 1) and best_iou_iop((4.0, 4.0), truth) == (0, 1)
    assert best_iou_iop((6.0, 6.0), truth) == (0, 0) and best_iou_iop((5.0, 7.0), truth) == (0, 0)
    assert best_iou_iop((12.0, 2.0), truth) == (0, 0)  # reversed: negative, floored


def test_nextgqa_table():
    rows = [choice(f"v_{i}", "B", spans=[(0, 10)]) for i in range(5)]
    predictions = {
        "v_0": spans((0, 5), answer="B"),  # IoP 1, IoU 0.5, right
        "v_1": spans((0, 20), answer="y"),  # IoP 0.5, IoU 0.5, right by text
        "v_2": spans((0, 10), answer=0),  # wrong answer, by number
        "v_3": spans((8, 18)),  # IoP 0.2: its missing answer is not looked up
    }
    found = EVALUATORS["nextgqa"](rows, predictions)
    assert found.metrics == pytest.approx(
        {"Acc@GQA": 50, "Acc@QA": 200 / 3, "mIoP": 67.5, "IoP@0.3": 75, "IoP@0.5": 75,
         "mIoU": 100 * (0.5 + 0.5 + 1 + 2 / 18) / 4, "IoU@0.3": 75, "IoU@0.5": 75}
    )  # fmt: skip
    assert found.notes == ("official skips 1 questions without a predicted span",)
    stopped = EVALUATORS["nextgqa"](rows, predictions | {"v_3": spans((0, 10))})
    assert stopped.metrics["Acc@GQA"] is None and stopped.metrics["mIoP"] == pytest.approx(87.5)


# ReXTime


def test_rextime_numbers():
    rows = [choice("q1", "B", spans=[(0, 10)]), choice("q2", "A", spans=[(10, 20)])]
    predictions = {"q1": spans((0, 5), (90, 95), answer="B"), "q2": spans((10, 20), answer="C")}
    found = EVALUATORS["rextime"](rows, predictions)
    assert found.metrics["mIoU"] == 75 and found.metrics["R1@0.5"] == 100 and found.metrics["R1@0.55"] == 50
    assert found.metrics["VQA"] == 50 and found.metrics["VQA,mIoU@0.5"] == 50 and found.metrics["VQA,mIoU@0.7"] == 0
    assert found.layout["full"]["MR-mIoU"] == 75.0 and found.layout["full"]["VQA,mIoU"]["VQA,mIoU@0.3"] == 0.5
    assert found.layout["VQA"] == 0.5 and found.layout["brief"] == {
        "VQA": 0.5, "MR-full-R1@0.3": 100.0, "MR-full-R1@0.5": 100.0, "MR-full-mIoU": 75.0, "VQA,mIoU@0.5": 0.5
    }  # fmt: skip
    assert list(found.layout["full"]["MR-R1"])[:3] == ["0.3", "0.35", "0.4"]


def test_rextime_looks_at_the_first_prediction_only():
    rows = [choice("q1", "B", spans=[(0, 10)]), choice("q2", "A", spans=[(0, 0)])]
    only_answers = {"q1": Prediction(answer="B"), "q2": spans((0, 0), answer="A")}
    found = EVALUATORS["rextime"](rows, only_answers)
    assert found.metrics == {"VQA": 100} and found.layout == {"brief": {"VQA": 1.0}, "VQA": 1.0}
    only_spans = EVALUATORS["rextime"](rows, {"q1": spans((0, 10)), "q2": spans((0, 0), answer="A")})
    assert "VQA" not in only_spans.metrics and only_spans.metrics["mIoU"] == 50  # 0/0 is 0
    assert "official stops" in EVALUATORS["rextime"](rows, {"q1": spans((0, 10))}).notes[0]


# VUE-TR


def vue(row, prediction, version=1):
    found = EVALUATORS[f"vue-tr-v{version}"]([row], {row.id: prediction})
    return tuple(found.metrics[f"{name} AUC"] for name in ("IoU", "precision", "recall"))


def test_vue_tr_a_perfect_answer_gives_99_5():
    row = ground("1", (10, 20), duration_category="short")
    assert vue(row, spans((10, 20))) == pytest.approx((99.5, 100, 100))
    assert vue(row, spans((10.2, 19.1))) == pytest.approx((99.5, 100, 100))  # floored and ceiled
    found = EVALUATORS["vue-tr-v1"]([row], {"1": spans((10, 20))})
    assert found.layout["short"]["IoU"] == pytest.approx(99.5) and set(found.layout) == {"overall", "short"}


def test_vue_tr_half_overlap():
    # IoU 10/30; area of 1[1/3 > t]: 34 thresholds (0 to 0.33), the one at 0 weighs half
    assert vue(ground("1", (0, 20)), spans((10, 30))) == pytest.approx((33.5, 50.5, 50.5))


def test_vue_tr_merges_predictions_for_iou_but_not_for_precision():
    row = ground("1", (0, 20))
    assert vue(row, spans((0, 10), (5, 20)))[0] == pytest.approx(99.5)
    assert vue(row, spans((0, 10), (5, 20)))[1] == pytest.approx(100)  # (10 + 15) / 25: counted twice on both sides
    two = ground("1", (0, 10), (20, 30))
    iou, precision, recall = vue(two, spans((20, 30), (0, 10)))
    assert iou == pytest.approx(99.5) and precision == recall == pytest.approx(50.5)  # out of order: one is missed


def test_vue_tr_empty_and_reversed():
    row, empty = ground("1", (0, 20)), ground("1")
    assert vue(row, spans()) == (0, None, pytest.approx(0.5))  # recall 0 >= 0 at the first threshold
    assert vue(empty, spans()) == (pytest.approx(99.5), None, None)
    assert vue(empty, spans(), version=2) == (pytest.approx(99.5), 100, None)
    assert vue(empty, spans((1, 2)))[0] == 0
    assert vue(row, spans((20, 0))) == (0, 100, 100)  # dropped for IoU, put in order for the rest
    assert vue(row, spans((0, float("nan")))) == (0, pytest.approx(0.5), pytest.approx(0.5))
    assert EVALUATORS["vue-tr-v1"]([row], {}).metrics["IoU AUC"] is None
