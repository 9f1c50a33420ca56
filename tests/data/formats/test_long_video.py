"""Formats of benchmarks of long video: small files in the published form; what is not in it is listed."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from timeground.data import formats
from timeground.data.formats.files import MOST_LISTED, UNKNOWN_DURATION_S
from timeground.data.rows import Row, row_problems
from timeground.errors import UserError
from timeground.spans import Span


def put(root: Path, name: str, content: Any) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(map(json.dumps, content)) if name.endswith(".jsonl") else json.dumps(content))
    return path


def read(name: str, root: Path, split: str | None = None) -> list[Row]:
    rows = list(formats.read(name, root, split))
    for row in rows:
        problems = row_problems(row.to_json() | {"duration": row.duration or 1e6})
        assert problems == [], problems
    return rows


WHEN = {"qid": "q1", "video_id": "abc", "source_corpus": "LVBench", "question": "When does it rain?",
        "correct_interval": [3605, 3622.5], "video_duration_s": 5400, "category": "weather",
        "event_summary": "rain", "youtube_url": "u"}  # fmt: skip


def test_extremewhenbench(tmp_path: Path) -> None:
    put(tmp_path, "test.jsonl", [WHEN, WHEN | {"qid": 2, "source_corpus": "VideoMME", "video_duration_s": None}])
    first, second = read("extremewhenbench", tmp_path)
    assert (first.id, first.video, first.duration) == ("q1", "LVBench/abc.mp4", 5400)
    assert first.spans == [Span(3605, 3622.5)] and first.task == "ground"
    assert first.meta == {"corpus": "LVBench", "category": "weather"}
    assert (second.id, second.video, second.duration) == ("2", "VideoMME/abc.mp4", UNKNOWN_DURATION_S)


def test_a_table_of_the_hub_is_read_as_well(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    (tmp_path / "data").mkdir()
    parquet.write_table(arrow.Table.from_pylist([WHEN]), tmp_path / "data" / "test-00000-of-00001.parquet")
    (row,) = read("extremewhenbench", tmp_path)
    assert row.spans == [Span(3605, 3622.5)]


def test_clock_times_are_times(tmp_path: Path) -> None:
    put(tmp_path, "test.jsonl", [WHEN | {"correct_interval": ["1:00:05", "1:00:22.5"]}])
    assert read("extremewhenbench", tmp_path)[0].spans == [Span(3605, 3622.5)]


MOMENT = {"qry_text": " A player scores. ", "qry_img_path": "", "qry_video_path": "",
          "src_video_path": "./videos/sport_12.mp4", "task": "Action Recognition",
          "answering_time_interval": [[80.0, 95.0], [10, 25]]}  # fmt: skip


def test_momentseeker_has_several_spans_in_their_order(tmp_path: Path) -> None:
    put(tmp_path, "t2v.json", [MOMENT, MOMENT | {"answering_time_interval": [["01:20", "01:35"]]}])
    first, second = read("momentseeker", tmp_path)
    assert (first.id, first.video, first.query) == ("momentseeker-0", "sport_12.mp4", "A player scores.")
    assert first.spans == [Span(80, 95), Span(10, 25)] and first.meta == {"task": "Action Recognition"}
    assert second.id == "momentseeker-1" and second.spans == [Span(80, 95)]


def nlq(*queries: dict[str, Any]) -> dict[str, Any]:
    clip = {"clip_uid": "c1", "video_start_sec": 100.0, "video_end_sec": 580.0}
    annotation = {"annotation_uid": "a1", "language_queries": list(queries)}
    return {"videos": [{"video_uid": "v1", "split": "val", "clips": [clip | {"annotations": [annotation]}]}]}


QUERY = {"clip_start_sec": 20.0, "clip_end_sec": 24.5, "video_start_sec": 120.0, "video_end_sec": 124.5,
         "query": "Query Text: where is my cup?", "template": "Objects"}  # fmt: skip


def test_ego4d_nlq_asks_about_a_window_of_the_video_or_about_the_clip(tmp_path: Path) -> None:
    put(tmp_path, "nlq_val.json", nlq(QUERY))
    (row,) = read("ego4d_nlq", tmp_path)
    assert (row.id, row.video, row.query) == ("a1_0", "v1.mp4", "where is my cup?")
    assert (row.window, row.spans) == (Span(100, 580), [Span(120, 124.5)])
    (row,) = read("ego4d_nlq", tmp_path, "val-clips")
    assert (row.id, row.video, row.duration, row.window) == ("a1_0", "c1.mp4", 480, None)
    assert row.spans == [Span(20, 24.5)]


def test_ego4d_nlq_in_lines(tmp_path: Path) -> None:
    line = {"video_id": "c1", "query_id": "x_3", "query": "q?", "timestamps": [[1, 2], [5, 6]], "duration": 480}
    put(tmp_path, "ego4d_nlq_val_v2.jsonl", [line, {**line, "timestamps": [1, 2.5], "query_id": "x_4"}])
    first, second = read("ego4d_nlq", tmp_path)
    assert (first.id, first.video, first.spans) == ("x_3", "c1.mp4", [Span(1, 2), Span(5, 6)])
    assert second.spans == [Span(1, 2.5)]


def test_ego4d_queries_without_words_or_length_are_listed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    silent = {key: value for key, value in QUERY.items() if key != "query"}
    put(tmp_path, "nlq_val.json", nlq(silent, QUERY, QUERY | {"video_end_sec": 120.0}))
    with caplog.at_level(logging.WARNING):
        assert [row.id for row in read("ego4d_nlq", tmp_path)] == ["a1_1"]
    assert "2 records give no row" in caplog.text
    assert "a1_0: not in the published format (ValueError: the query has no words)" in caplog.text
    assert "a1_2" in caplog.text and "has no length" in caplog.text


HAYSTACK = {"video_id": "v1", "question": "Where is it?", "options": {"B": "y", "A": "x", "C": None}, "answer": "B",
            "frame_indexes_video": [3000, 300],
            "video_metadata": {"frame_rate": 30.0, "video_duration": 500.0,
                               "vclip_interval_in_video": [0, 9]}}  # fmt: skip


def test_longvideohaystack_has_key_frames_in_seconds(tmp_path: Path) -> None:
    put(tmp_path, "test.jsonl", [HAYSTACK, HAYSTACK | {"options": [["A", "x"], ["B", "y"]]}])
    for row in read("longvideohaystack", tmp_path):
        assert (row.video, row.duration, row.options, row.answer) == ("v1.mp4", 500, ["x", "y"], "B")
        assert row.meta == {"frames_s": [10.0, 100.0]} and row.task == "choice"
    put(tmp_path, "test.jsonl", [HAYSTACK, HAYSTACK | {"frame_indexes_video": []}])
    assert len(read("longvideohaystack", tmp_path)) == 1


CLUE = {"qid": 7, "video_uid": "u1", "duration": 1800, "domain": "Sports", "sub_category": "Entity", "question": "Who?",
        "choices": [f"o{n}" for n in range(14)], "right_answer": "N", "clue_intervals": [[5, 9], [60.5, 70]],
        "question_type": "x", "answer": "o13"}  # fmt: skip


def test_cgbench_has_options_and_their_clues(tmp_path: Path) -> None:
    put(tmp_path, "cgbench_mini.json", [CLUE])
    (row,) = read("cgbench", tmp_path)
    assert (row.id, row.video, row.task, row.answer) == ("7", "u1.mp4", "choice", "N")
    assert len(row.options or []) == 14 and row.spans == [Span(5, 9), Span(60.5, 70)]
    assert row.meta == {"domain": "Sports", "sub_category": "Entity"}
    put(tmp_path, "cgbench.json", [CLUE, CLUE | {"qid": 8}])
    assert len(read("cgbench", tmp_path, "full")) == 2


ASKED = "Answer with the letter.\nQuestion: What does the dog do?\nA: lies down\nB: eats\nC: barks"
SCOPE = {"id": 3, "video": "videos/3600_1.mp4", "input": ASKED, "answer": "C", "type": "QA", "length": 3600}


def test_timescope(tmp_path: Path) -> None:
    plain = {key: value for key, value in SCOPE.items() if key != "input"} | {"question": "What?\n(A) x\n(B) y\n(C) z"}
    put(tmp_path, "test.jsonl", [SCOPE, plain])
    first, second = read("timescope", tmp_path)
    assert (first.id, first.video, first.duration) == ("3", "videos/3600_1.mp4", 3600)
    assert (first.question, first.options, first.answer) == (
        "What does the dog do?",
        ["lies down", "eats", "barks"],
        "C",
    )
    assert first.meta == {"type": "QA", "length": "3600"}
    assert (second.question, second.options) == ("What?", ["x", "y", "z"])


BROKEN: list[tuple[str, str, Any, Any, str]] = [
    ("extremewhenbench", "test.jsonl", WHEN, WHEN | {"correct_interval": [9, 3]}, "ends before it starts"),
    ("extremewhenbench", "test.jsonl", WHEN, WHEN | {"correct_interval": ["1:75", "1:80"]}, "60 seconds in a minute"),
    ("extremewhenbench", "test.jsonl", WHEN, WHEN | {"source_corpus": "Mine"}, "none of LVBench"),
    ("momentseeker", "t2v.json", MOMENT, MOMENT | {"qry_img_path": "a.jpg"}, "a picture or a video"),
    ("momentseeker", "t2v.json", MOMENT, MOMENT | {"answering_time_interval": []}, "no answering_time_interval"),
    ("longvideohaystack", "test.jsonl", HAYSTACK, HAYSTACK | {"answer": "D"}, "no option number 3"),
    ("cgbench", "cgbench_mini.json", CLUE, CLUE | {"clue_intervals": None}, "TypeError"),
    ("cgbench", "cgbench_mini.json", CLUE, CLUE | {"right_answer": "o13"}, "does not begin with a letter"),
    ("timescope", "test.jsonl", SCOPE, SCOPE | {"input": "Question: What?"}, "no options behind letters"),
    ("timescope", "test.jsonl", SCOPE, "text", "TypeError|AttributeError"),
]


@pytest.mark.parametrize(("name", "file", "good", "bad", "why"), BROKEN)
def test_bad_records_are_listed_and_the_rest_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, file: str, good: Any, bad: Any, why: str
) -> None:
    put(tmp_path, file, [bad, good])
    with caplog.at_level(logging.WARNING):
        (row,) = read(name, tmp_path)
    (told,) = [record.getMessage() for record in caplog.records]
    assert "1 records give no row" in told and any(part in told for part in why.split("|"))
    assert row.task in ("ground", "choice")
    put(tmp_path, file, [bad, bad])
    with pytest.raises(UserError, match="so with all 2 records; download the file again") as error:
        read(name, tmp_path)
    assert "\n" not in str(error.value)


def test_very_many_bad_records_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(tmp_path, "test.jsonl", [WHEN, *[WHEN | {"correct_interval": None}] * (MOST_LISTED + 5)])
    with caplog.at_level(logging.WARNING):
        assert len(read("extremewhenbench", tmp_path)) == 1
    assert caplog.text.count("not in the published format") == MOST_LISTED and "and 5 more" in caplog.text
