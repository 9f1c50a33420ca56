"""Formats without real files here: tiny files in the grammar that each benchmark publishes."""

from __future__ import annotations

import json
import logging

import pytest

from timeground.data import formats
from timeground.data.formats.files import UNKNOWN_DURATION_S
from timeground.errors import UserError
from timeground.spans import Span


def put(root, name, content):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = isinstance(content, tuple)
    text = (
        content if isinstance(content, str) else "\n".join(map(json.dumps, content)) if lines else json.dumps(content)
    )
    path.write_text(text, encoding="utf-8")
    return path


def read(name, root, split=None):
    return list(formats.read(name, root, split))


CHARADES_CSV = "id,subject,length\nAAAAA,x,10.0\nBBBBB,y,20.5\n"


def test_charades_clamps_ends_and_leaves_out_swapped_lines(tmp_path, caplog):
    put(tmp_path, "Charades_v1_train.csv", CHARADES_CSV)
    path = put(tmp_path, "charades_sta_train.txt", "AAAAA 2.0 12.5##a man sits.\n\nBBBBB 9.0 4.0##swapped\n")
    with caplog.at_level(logging.WARNING):
        (row,) = read("charades", tmp_path, "train")
    assert row.spans == [Span(2, 10)] and row.meta == {"published_spans": [[2.0, 12.5]]}
    assert "1 left out" in caplog.text
    assert [r.id for r in read("charades", path)] == [row.id]  # the file itself will do, and names its split


def test_activitynet_and_tacos(tmp_path):
    put(tmp_path, "test.json", {"v_a": {"duration": 10.0, "timestamps": [[1, 4], [8, 12]], "sentences": [" x", "y"]}})
    rows = read("activitynet", tmp_path)
    assert [(r.id, r.query, r.spans[0].to_list()) for r in rows] == [("v_a-0", "x", [1, 4]), ("v_a-1", "y", [8, 10])]
    entry = {"timestamps": [[10, 30]], "sentences": ["z"], "num_frames": 25, "fps": 5.0}
    put(tmp_path, "test.json", {"s1.avi": entry})
    (row,) = read("tacos", tmp_path)
    assert (row.id, row.duration, row.spans) == ("s1-0", 5.0, [Span(2, 5)])


def test_qvhighlights_test_release_without_labels(tmp_path):
    put(tmp_path, "highlight_test_release.jsonl", ({"qid": 7, "query": "q", "duration": 150, "vid": "v_0.0_150.0"},))
    (row,) = read("qvhighlights", tmp_path, "test")
    assert row.id == "7" and row.meta == {"unlabelled": True}
    labelled = {"qid": 7, "query": "q", "duration": 150, "vid": "v", "relevant_windows": [[0, 4]]}
    put(tmp_path, "highlight_test_with_gt.jsonl", (labelled,))
    (row,) = read("qvhighlights", tmp_path, "test")
    assert row.spans == [Span(0, 4)] and row.meta == {}


def test_timelens_bench_and_100k(tmp_path):
    put(tmp_path, "charades-timelens.json", {"AB": {"duration": 30, "spans": [[1.5, 2]], "queries": ["  a\n b.. "]}})
    (row,) = read("timelens_bench", tmp_path)
    assert (row.id, row.query, row.video) == ("AB-0", "a b", "charades/AB.mp4")
    events = [{"query": "x.", "span": [[1, 2], [4, 5]]}, {"query": "y", "span": [3, 2]}, {"query": "z", "span": [3, 4]}]
    line = {"source": "didemo", "video_path": "d/1.mp4", "duration": 9, "events": events}
    put(tmp_path, "timelens-100k.jsonl", (line,))
    rows = read("timelens_100k", tmp_path)
    assert [(r.id, r.query, len(r.spans)) for r in rows] == [("1-0", "x", 2), ("1-2", "z", 1)]


def test_time_r1_and_arrowgev(tmp_path):
    item = {"video": "./v/a.mp4", "duration": 60.0, "timestamp": [3, 9], "sentence": "s", "qid": "q1",
            "video_start": None, "video_end": None, "difficulty": 34.0, "pred": [1, 2]}  # fmt: skip
    put(tmp_path, "train_2k5.json", [item, {**item, "sensitive": "yes"}, {**item, "sensitive": "no"}])
    rows = read("time_r1", tmp_path)
    assert [r.direction for r in rows] == ["unknown", "sensitive", "insensitive"]
    assert rows[0].difficulty == {"mean_iou": 0.34} and rows[0].meta == {"qid": "q1"}


def test_tvgbench(tmp_path):
    item = {"path": "./x/tvgbench_data/KW.mp4", "question": "q", "answer": "13.4-28.1", "start": None, "end": None,
            "duration": 30.1, "qsemtype": "Human Pose"}  # fmt: skip
    put(tmp_path, "tvgbench.json", [item])
    (row,) = read("tvgbench", tmp_path)
    assert (row.video, row.spans, row.source) == ("KW.mp4", [Span(13.4, 28.1)], "tvgbench/ego4d-nlq")


def test_vue_tr_keeps_the_order_of_spans(tmp_path):
    item = {"query_id": 3, "video_id": "yt", "duration": 99, "query": "q", "gt": [[50, 60], [1, 2]],
            "duration_category": "short", "query_format": "phrase", "query_modality": "audio"}  # fmt: skip
    put(tmp_path, "VUE-TRv2_ground_truth.json", [item, {**item, "query_id": 4, "gt": []}])
    first, second = read("vue_tr", tmp_path, "v2")
    assert first.spans == [Span(50, 60), Span(1, 2)] and first.meta["query_format"] == "phrase"
    assert second.spans == [] and second.id == "4"


def test_tempcompass_yes_no_and_matching(tmp_path):
    put(tmp_path, "questions/yes_no.json", {"1": {"order": [{"question": "Is it?", "answer": "no"}]}})
    (row,) = read("tempcompass", tmp_path, "yes_no")
    assert (row.task, row.answer, row.duration) == ("yes_no", "no", UNKNOWN_DURATION_S)
    question = "Which fits?\nCaption A: a dog: runs\nCaption B: a dog sits"
    put(
        tmp_path, "caption_matching.json", {"1": {"speed": [{"question": question, "answer": "Caption B: a dog sits"}]}}
    )
    (row,) = read("tempcompass", tmp_path, "caption_matching")
    assert (row.question, row.options, row.answer) == ("Which fits?", ["a dog: runs", "a dog sits"], "B")


def test_videomme_from_json_jsonl_and_parquet(tmp_path):
    item = {"video_id": "001", "duration": "short", "domain": "Knowledge", "sub_category": "Law", "url": "u",
            "videoID": "yt", "question_id": "001-1", "task_type": "OCR Problems", "question": "Which?",
            "options": ["A. one", "B. two"], "answer": "B"}  # fmt: skip
    expected = ("001-1", "yt.mp4", ["one", "two"], "B", "short")

    def seen():
        (row,) = read("videomme", tmp_path)
        return row.id, row.video, row.options, row.answer, row.meta["duration"]

    put(tmp_path, "videomme.json", [item])
    assert seen() == expected
    put(tmp_path, "videomme.jsonl", (item,))
    assert seen() == expected
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.Table.from_pylist([item]), tmp_path / "test-00000-of-00001.parquet")
    assert seen() == expected


def test_mvbench_tvbench_mlvu(tmp_path):
    item = {"video": "1.mp4", "question": "q", "candidates": ["x", "y"], "answer": "y"}
    put(tmp_path, "json/action_sequence.json", [{**item, "start": 1.5, "end": 4}])
    put(tmp_path, "json/object_shuffle.json", [item])
    first, second = read("mvbench", tmp_path)
    assert (first.window, first.video, first.answer) == (Span(1.5, 4), "star/Charades_v1_480/1.mp4", "B")
    assert (second.window, second.id, second.meta) == (None, "object_shuffle-0", {"task": "object_shuffle"})
    assert read("tvbench", tmp_path)[0].video == "action_sequence/1.mp4"
    put(tmp_path, "json/4_count.json", [{**item, "duration": 700.5, "question_type": "count"}])
    (row,) = read("mlvu", tmp_path)
    assert (row.id, row.video, row.duration) == ("4_count-0", "4_count/1.mp4", 700.5)


def test_folders_of_pictures_say_how_many_a_second(tmp_path):
    item = {"video": "castle_s01", "question": "q", "candidates": ["x", "y"], "answer": "y", "start": 0, "end": 9}
    put(tmp_path, "json/episodic_reasoning.json", [item, {**item, "fps": 6}])
    assert [row.folder_fps for row in read("mvbench", tmp_path)] == [3.0, 6.0]
    assert read("tvbench", tmp_path)[1].folder_fps == 6.0
    put(tmp_path, "json/episodic_reasoning.json", [{**item, "fps": 0}])
    with pytest.raises(UserError, match="no usable number of pictures"):
        read("mvbench", tmp_path)
    put(tmp_path, "multi_json/davis/bear_qa.json", [{"question": "q", "options": ["x", "y"], "answer": "A", "fps": 24}])
    assert read("dynbench", tmp_path)[0].folder_fps == 24.0


def test_the_last_of_equal_options_and_an_answer_that_is_none(tmp_path, caplog):
    item = {"video": "1.mp4", "question": "q", "candidates": ["x", "y", "x"], "answer": "x", "duration": 9}
    put(tmp_path, "json/4_count.json", [item, {**item, "answer": "z"}])
    for name in ("mlvu", "mvbench", "tvbench"):
        caplog.clear()
        assert [row.answer for row in read(name, tmp_path)] == ["C", None]
        assert "4_count.json: 1 with an answer that is none of the options; they always count as wrong" in caplog.text


NEXTGQA_CSV = (
    "video_id,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4\n99,1,1,1,why,{},0,CW,x,y,z,y,w\n"
)


def test_nextgqa_mends_starts_and_names_the_file_that_is_wrong(tmp_path, caplog):
    put(tmp_path, "test.csv", NEXTGQA_CSV.format("y"))
    entry = {"duration": 30, "location": {"0": [[-0.2, 4], [6, 9]]}, "fps": 3}
    put(tmp_path, "gsub_test.json", {"99": entry})
    (row,) = read("nextgqa", tmp_path)
    assert row.answer == "B" and row.spans == [Span(0, 4), Span(6, 9)]
    assert row.meta["published_spans"] == [[-0.2, 4.0], [6.0, 9.0]] and "1 spans begin before" in caplog.text
    put(tmp_path, "test.csv", NEXTGQA_CSV.format("no such option"))
    assert read("nextgqa", tmp_path)[0].answer is None
    put(tmp_path, "test.csv", NEXTGQA_CSV.format("y").removesuffix(",w\n"))
    assert read("nextgqa", tmp_path)[0].options == ["x", "y", "z", "y"]
    for bad in ([[-4, -2]], [[6, 3]], [["x", 3]], [[float("nan"), 3]], 7):
        put(tmp_path, "gsub_test.json", {"99": {**entry, "location": {"0": bad}}})
        with pytest.raises(UserError, match=r"gsub_test.json:99/0: not in the published format"):
            read("nextgqa", tmp_path)


def test_nextqa(tmp_path):
    header = "video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4\n"
    put(tmp_path, "val.csv", header + '99,10,1,1,"why, then",3,6,TP,a,b,c,d,e\n')
    (row,) = read("nextqa", tmp_path, "val")
    assert (row.id, row.question, row.answer, row.meta) == ("99_6", "why, then", "D", {"type": "TP", "kind": "T"})


def test_nextgqa_ignores_questions_without_spans(tmp_path):
    header = "video_id,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4\n"
    put(tmp_path, "test.csv", header + "1,9,1,1,q,b,2,CW,a,b,c,d,e\n1,9,1,1,q,b,3,CW,a,b,c,d,e\n")
    put(tmp_path, "gsub_test.json", {"1": {"duration": 20, "location": {"2": [[1, 2], [5, 6]]}, "fps": 30.0}})
    (row,) = read("nextgqa", tmp_path)
    assert (row.id, row.answer, row.spans) == ("1_2", "B", [Span(1, 2), Span(5, 6)])


def test_longvideobench_in_both_forms(tmp_path):
    item = {"id": "x_0", "video_path": "x.mp4", "question": "q", "correct_choice": 1, "duration": 12.5,
            "duration_group": 15, "question_category": "S2E"}  # fmt: skip
    hub = {**item, "id": "x_1", "option0": "a", "option1": "b", "option2": "N/A"}
    put(tmp_path, "lvb_val.json", [{**item, "candidates": ["a", "b", "c"]}, hub])
    first, second = read("longvideobench", tmp_path)
    assert (first.answer, len(first.options), second.options) == ("B", 3, ["a", "b"])
    put(tmp_path, "lvb_test_wo_gt.json", [{**item, "candidates": ["a", "b"], "correct_choice": -1}])
    (row,) = read("longvideobench", tmp_path, "test")
    assert row.answer is None and row.meta["unlabelled"]


def test_lvbench(tmp_path):
    question = "What\nis it?\n(A) one\n(B) two"
    qa = {"uid": "17", "question": question, "answer": "B", "question_type": ["KIR", "TG"], "time_reference": "0:1-0:2"}
    video = {"key": "yt", "type": "cartoon", "video_info": {"duration_minutes": 61.5}, "qa": [qa]}
    put(tmp_path, "video_info.meta.jsonl", (video,))
    (row,) = read("lvbench", tmp_path)
    assert (row.id, row.question, row.options) == ("17", "What\nis it?", ["one", "two"])
    assert row.duration == 3690 and row.meta["types"] == ["KIR", "TG"]


def test_dynbench(tmp_path):
    items = [{"question": "q", "options": ["A. x", "B. y"], "answer": "A"}]
    put(tmp_path, "multi_json/davis/a_scene_cameraqa.json", items)
    put(tmp_path, "multi_json/davis/a_scene_objmask.json", {"1": {}})
    put(tmp_path, "multi_json/davis/frame_sampling_qa.json", items)
    (row,) = read("dynbench", tmp_path)
    assert (row.id, row.video, row.options) == ("davis/a_scene_cameraqa/0", "davis/a_scene", ["x", "y"])
    assert row.meta == {"level": "cameraqa"}


def test_own_rows(tmp_path):
    put(tmp_path, "annotations.jsonl", ({"id": "1", "video": "v.mp4", "duration": 5.0, "query": "q"},))
    assert [row.id for row in read("rows", tmp_path)] == ["1"]


@pytest.mark.parametrize("name", formats.READERS)
def test_a_missing_file_says_what_to_download(tmp_path, name):
    with pytest.raises(UserError, match=r"no file .*(download|render)") as error:
        read(name, tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", formats.READERS)
def test_every_reader_says_what_it_reads_and_lists_its_splits(name):
    assert isinstance(formats.splits_of(name), tuple)
    assert len(formats._module(name).__doc__) > 80


def test_what_is_wrong_with_a_file_is_one_line(tmp_path):
    put(tmp_path, "test.json", {"v_a": {"timestamps": [], "sentences": []}})
    with pytest.raises(UserError, match=r"test\.json:v_a: not in the published format \(KeyError: 'duration'\)"):
        read("activitynet", tmp_path)
    put(tmp_path, "test.json", "{")
    with pytest.raises(UserError, match="not JSON"):
        read("activitynet", tmp_path)
    put(tmp_path, "highlight_val_release.jsonl", '{"qid": 1}\n{"qid"')
    with pytest.raises(UserError, match=r"jsonl:1: not in the published format"):
        read("qvhighlights", tmp_path)
    put(tmp_path, "tvgbench.json", [{"answer": "nan-2", "path": "a", "duration": 3, "question": "q"}])
    with pytest.raises(UserError, match=r"item 0"):
        read("tvgbench", tmp_path)


def test_unknown_formats_and_splits_list_what_there_is(tmp_path):
    with pytest.raises(UserError, match="there are: activitynet, cgbench, charades"):
        read("nothing", tmp_path)
    with pytest.raises(UserError, match="charades has no split 'dev'; there are: test, train"):
        read("charades", tmp_path, "dev")
