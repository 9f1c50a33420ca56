"""The evaluators of benchmarks of long video, by hand; their parsers were run beside the published ones."""

from __future__ import annotations

import pytest
from timeground.eval.official import EVALUATORS
from timeground.eval.official.extremewhenbench import last_span
from timeground.eval.official.timescope import letter
from timeground.eval.score import score
from timeground.eval.tasks import get_spec

from tests.eval.helpers import choice, ground, said, spans


@pytest.mark.parametrize(
    ("reply", "span"),
    [
        ("from 3 to 9, or 12.5 - 30 seconds", (12.5, 30)),
        ("30 – 12", (12, 30)),
        ("0:30:05 - 0:30:12", (0, 5)),
        ("It does not happen.", None),
    ],
)
def test_extremewhenbench_reads_the_last_pair(reply: str, span: tuple[float, float] | None) -> None:
    assert last_span(reply) == span


def test_extremewhenbench_by_hand() -> None:
    rows = [ground("a", (10, 20)), ground("b", (0, 10)), ground("c", (0, 10)), ground("d", (0, 10))]
    told = {"a": said("10 - 20"), "b": said("never"), "c": spans((15, 5))}
    found = EVALUATORS["extremewhenbench"](rows, told)
    assert found.metrics["mIoU"] == pytest.approx(100 * (1 + 0 + 5 / 15) / 3)
    assert found.metrics["R1@0.3"] == pytest.approx(200 / 3) and found.metrics["R1@0.5"] == pytest.approx(100 / 3)
    assert found.metrics["parse_fail"] == pytest.approx(100 / 3) and "leaves 1 rows" in found.notes[0]


def test_timelens2_by_hand() -> None:
    rows = [ground("a", (0, 10), (20, 30), task="x"), ground("b", (0, 10), task="y")]
    found = EVALUATORS["timelens2"](rows, {"a": spans((0, 5), (5, 10)), "b": spans()})
    assert found.metrics["mIoU"] == pytest.approx(25) and found.metrics["R1@0.5"] == pytest.approx(50)
    assert found.metrics["mIoU/x"] == pytest.approx(50) and found.metrics["mIoU/y"] == 0


def test_cgbench_by_hand() -> None:
    rows = [choice(name, "B", spans=[(0, 10)]) for name in "abc"]
    told = {"a": spans((0, 10), answer="B"), "b": spans((0, 40), answer="A"), "c": said("I cannot say")}
    found = EVALUATORS["cgbench"](rows, told)
    assert found.metrics["long_acc"] == 50 and found.metrics["mIoU"] == pytest.approx(62.5)
    assert found.metrics["rec@IoU"] == pytest.approx(100 * (1 + 1 + 0.5 + 0.5 + 0.5) / 5)
    assert found.metrics["acc@IoU"] == 50
    strict = score(get_spec("cgbench"), rows, told).strict
    assert strict["accuracy"] == pytest.approx(100 / 3) and strict["mIoU"] == pytest.approx(100 * 1.25 / 3)
    assert strict["rec@IoU"] == pytest.approx(100 * (1 + 0.4) / 3) and strict["acc@IoU"] == pytest.approx(100 / 3)


@pytest.mark.parametrize(
    ("reply", "found"), [("The best answer is: B.", "B"), ("Cannot tell", "C"), ("(D) a cat", "D"), ("none", "")]
)
def test_timescope_reads_the_first_capital(reply: str, found: str) -> None:
    assert letter(reply) == found


def test_timescope_by_hand() -> None:
    rows = [choice("a", "B", length="60", type="QA"), choice("b", "B", length="3600", type="OCR")]
    found = EVALUATORS["timescope"](rows, {"a": said("B"), "b": said("nothing")})
    assert found.metrics == {
        "accuracy": 50, "accuracy/60": 100, "accuracy/QA": 100, "accuracy/3600": 0, "accuracy/OCR": 0,
    }  # fmt: skip
