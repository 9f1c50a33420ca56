"""What eval tells of looks: which of them count, key frames as truth, rows without anything to find."""

from __future__ import annotations

import pytest
from timeground.eval.run.looked import search_result, search_text
from timeground.eval.samples import Sample

from tests.eval.helpers import ground, look
from timeground.methods.base import Look, Trace
from timeground.spans import Span


def at(start_s: float, end_s: float, frames: int = 3, **more: object) -> dict[str, object]:
    return look(8, frames=frames) | {"window": [start_s, end_s]} | more


def said(row_id: str, *looks: dict[str, object]) -> Sample:
    return Sample(0, row_id, "t", "v.mp4", text="x", trace={"looks": list(looks), "num_calls": 1})


def test_looks_that_others_led_to_count_and_a_first_scan_does_not() -> None:
    rows = [ground("a", (10, 20)), ground("nothing")]
    scan = [at(0, 50), at(50, 100)]
    told = search_result(rows, [said("a", *scan, at(10, 30, parent=0), at(80, 90, parent=1, draft=True)), said("x")])
    assert told["rows"] == 1
    assert told["windows"] == {"precision": 50.0, "recall": 100.0, "F1": pytest.approx(66.6667)}
    assert told["frames"]["precision"] == pytest.approx(66.6667)  # 10 and 20 of 10, 20, 30
    everything = search_result(rows, [said("a", *scan)])
    assert everything["windows"] == {"precision": 10.0, "recall": 100.0, "F1": pytest.approx(18.1818)}


def test_an_answer_without_looks_counts_as_nothing_and_as_published_it_does_not() -> None:
    rows = [ground("a", (10, 20)), ground("b", (10, 20))]
    told = search_result(rows, [said("a", at(10, 20), at(10, 20)), said("b")])
    assert told["windows"]["F1"] == 50.0 and told["frames"]["F1"] == 50.0
    assert told["frames_as_published"] == {"precision": 100.0, "recall": 100.0, "F1": 100.0, "rows": 1}
    (line,) = search_text({"search": told})
    assert "of 2 rows" in line and "of 1 rows" in line


def test_key_frames_are_the_truth_where_there_are_some() -> None:
    row = ground("a", frames_s=[10.0, 90.0])
    told = search_result([row], [said("a", at(0, 20), at(4, 4, frames=1))])
    assert told["frames"]["recall"] == 50.0 and told["windows"]["F1"] == 0.0


def test_one_look_is_no_search() -> None:
    assert search_result([ground("a", (1, 2))], [said("a", at(0, 9))]) == {} == search_result([], [])
    assert search_text({}) == []


def test_traces_of_methods_are_read() -> None:
    """The keys are those that a trace is kept by."""
    trace = Trace((Look(Span(0, 10), 2, 8), Look(Span(0, 5), 2, 8, score=0.5, parent=0)), num_calls=2).to_json()
    told = search_result([ground("a", (0, 5))], [Sample(0, "a", "t", "v", text="x", trace=trace)])
    assert told["windows"]["F1"] == 100.0
