"""Predictions in every format that is read."""

from __future__ import annotations

import json

import pytest
from timeground.eval.matching import Address, RowIndex
from timeground.eval.official import EVALUATORS
from timeground.eval.predictions import read_predictions
from timeground.eval.reading import Prediction, read_letter, read_spans, read_yes_no

from tests.eval.helpers import choice, ground
from timeground.errors import UserError

ROWS = [
    ground("a-0", (1, 2), video="set/a.mp4", query="A man sits"),
    ground("a-1", (3, 4), video="set/a.mp4", query="A man sits", published_spans=[[3.0, 4.5]]),
    ground("b-0", (5, 6), video="b.mp4", query="A dog runs"),
    choice("c_7", "B", options=("x", "y"), video="c.mp4"),
]


def read(tmp_path, *contents, rows=ROWS):
    paths = []
    for i, content in enumerate(contents):
        path = tmp_path / f"{i}.json"
        is_lines = isinstance(content, tuple)
        path.write_text("\n".join(map(json.dumps, content)) if is_lines else json.dumps(content))
        paths.append(path)
    return read_predictions(paths, rows)


def test_our_own_jsonl(tmp_path):
    found = read(
        tmp_path,
        ({"id": "a-0", "text": "1 - 2"}, {"id": "b-0", "spans": [[5, 6, 0.9], [7, 8, 0.1]], "more": 1},
         {"id": "c_7", "answer": "B"}, {"id": "other", "text": ""}),
    )  # fmt: skip
    assert found.formats == ["timeground JSONL"] and found.unmatched == ["other"]
    assert found.by_row["a-0"] == Prediction(text="1 - 2")
    assert found.by_row["b-0"] == Prediction(spans=((5.0, 6.0), (7.0, 8.0)), scores=(0.9, 0.1))
    assert read_letter(found.by_row["c_7"], ROWS[3]) == "B"


def test_a_single_line_is_a_file_too(tmp_path):
    assert read(tmp_path, {"id": "a-0", "text": "1 - 2"}).by_row["a-0"].text == "1 - 2"


def test_timelens_results_and_lmms_eval_submissions(tmp_path):
    found = read(
        tmp_path,
        {"videos/a.mp4>>>A man sits.>>>[[3.0, 4.5]]": {"timestamps": [[3, 5]], "answers": "3 - 5"},
         "videos/b.mp4>>>a  dog runs>>>[5, 6]": {"timestamps": [], "answers": ["none"]}},
        {"a.mp4>>>A man sits>>>[1.0, 2.0]": "1 - 2 seconds"},
    )  # fmt: skip
    assert found.formats == ["TimeLens results"] * 2
    assert found.by_row["a-1"] == Prediction(text="3 - 5", spans=((3.0, 5.0),))
    assert found.by_row["b-0"] == Prediction(text="none", spans=())
    assert found.by_row["a-0"] == Prediction(text="1 - 2 seconds")


def test_timelens_own_lines(tmp_path):
    found = read(
        tmp_path,
        ({"a.mp4>>>A man sits>>>[3.0, 4.5]": {"timestamps": [[3.0, 5.0]], "answers": "3.4 - 5", "duration": 9}},
         {"b.mp4>>>A dog runs>>>[5.0, 6.0]": {"answers": "5.4 - 5.6"}}),
        {"a.mp4>>>A man sits>>>[1.0, 2.0]": {"timestamps": [], "answers": "1 - 2"}},
    )  # fmt: skip
    assert found.formats == ["TimeLens results"] * 2
    assert found.by_row["a-1"] == Prediction(text="3.4 - 5", spans=((3.0, 5.0),))
    assert found.by_row["b-0"].spans == ((5.4, 5.6),)  # read by its parser, not rounded
    assert found.by_row["a-0"].spans == ()
    metrics = EVALUATORS["timelens"](ROWS[:3], found.by_row).metrics
    assert metrics["mIoU"] == pytest.approx(100 * (1.5 / 2 + 0.2 + 0) / 3)


def test_lmms_eval_samples(tmp_path):
    doc = {"video": "a.mp4", "caption": "a man sits", "timestamp": [3.0, 4.5]}
    question = {"video": "c", "question": "what?", "qid": "7"}
    found = read(
        tmp_path,
        ({"doc_id": 0, "doc": doc, "filtered_resps": ["3 - 4"], "resps": [["3 - 4 raw"]], "target": "x"},
         {"doc_id": 1, "doc": question, "resps": [["B"]]},
         {"doc_id": 2, "resps": [["5 - 6"]]}),
    )  # fmt: skip
    assert found.formats == ["lmms-eval samples"]
    assert {key: value.text for key, value in found.by_row.items()} == {"a-1": "3 - 4", "c_7": "B", "b-0": "5 - 6"}


def test_submissions(tmp_path):
    rows = [ground("12", (0, 4)), choice("q_val3", "A")]
    entries = (
        {"qid": 12, "pred_relevant_windows": [[0, 4, 0.5]], "pred_saliency_scores": [0.1, 0.2]},
        {"qid": "q_val3", "pred_relevant_windows": [[1, 2]], "ans": "A"},
    )
    found = read(tmp_path, entries, rows=rows)
    assert found.by_row["12"] == Prediction(spans=((0.0, 4.0),), scores=(0.5,), saliency=(0.1, 0.2))
    assert found.by_row["q_val3"] == Prediction(spans=((1.0, 2.0),), answer="A")


def test_vue_tr_results(tmp_path):
    rows = [ground("3", (0, 4)), ground("4", (0, 4))]
    found = read(tmp_path, [{"query_id": 3, "answer": [[0, 5]]}, {"query_id": 4, "answer": [[]]}], rows=rows)
    assert found.by_row == {"3": Prediction(spans=((0.0, 5.0),)), "4": Prediction(spans=())}
    assert read(tmp_path, ({"id": 3, "answer": [[0, 5]]},), rows=rows).by_row["3"].spans == ((0.0, 5.0),)


def test_answers_and_spans_by_id_are_joined(tmp_path):
    found = read(tmp_path, {"c_7": [1.5, 2.5]}, {"c_7": {"answer": 1, "prediction": 1}})
    assert found.by_row["c_7"] == Prediction(spans=((1.5, 2.5),), answer=1)
    assert read(tmp_path, {"c_7": "B"}).by_row["c_7"].text == "B"


def test_tempcompass_predictions(tmp_path):
    row = choice("1034-multi-choice-action-0", "A", video="1034.mp4", question="What?\nA. x\nB. y")
    items = {"action": [{"question": "What?\nA. x\nB. y", "answer": "A. x", "prediction": "A"}]}
    found = read(tmp_path, {"1034": items}, rows=[row])
    assert found.by_row[row.id].text == "A" and found.formats == ["TempCompass predictions"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("nothing", "not JSON"),
        ("[1]", "must be a JSON object"),
        ('{"what": 1}\n{"what": 2}', "no known format"),
        ('{"id": "a-0", "spans": [["x", 1]]}\n{"id": "b-0", "spans": []}', "0.jsonl:1: not a usable prediction"),
        ('{"id": "zzz", "text": "1"}\n{"id": "yyy", "text": "1"}', "no prediction answers a row of this task"),
        ("", "no known format"),
        ('{"id": "a-0", "text": 5}\n{"id": "b-0", "text": "x"}', "text must be a string"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, content, message):
    path = tmp_path / "0.jsonl"
    path.write_text(content)
    with pytest.raises(UserError) as error:
        read_predictions([path], ROWS)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_rows_are_found_by_words_and_told_apart_by_span():
    index = RowIndex(ROWS)
    assert index.find(Address(video="x/a.MP4", words="a man  SITS.")) == ["a-0", "a-1"]
    assert index.find(Address(video="a.mp4", words="a man sits", span=(3.0, 4.0))) == ["a-1"]
    assert index.find(Address(video="b.mp4", words="a man sits")) == [] and index.find(Address(place=9)) == []


def test_a_reply_counts_before_spans_beside_it():
    assert read_spans(Prediction(text="1 - 2", spans=((9.0, 9.5),))).spans[0].start_s == 1
    assert read_spans(Prediction(answer="B")).failure and read_spans(None).failure == "no prediction"
    assert read_letter(Prediction(answer=9), ROWS[3]) is None and read_letter(Prediction(answer="y"), ROWS[3]) == "B"
    assert read_yes_no(Prediction(answer="Yes")) is True and read_yes_no(None) is None
