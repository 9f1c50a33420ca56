"""Annotations in, rows out: what gets in, and why the rest does not."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from timeground.data_pipeline.importing import run as importing
from timeground.data_pipeline.importing import texts
from timeground.data_pipeline.importing.columns import guess
from timeground.data_pipeline.importing.record import Place, Record

from timeground.data.rows import Row, from_cells, read_rows, to_cells, write_rows
from timeground.media.decode import probe
from timeground.spans import Span

MOMENTS = """clip,sentence,t_begin,t_end,who
door,a man opens the door,0:00:01.5,4,anna
door.mp4,a man  opens the Door,10,12.5,anna
/home/anna/clips/more/cat.mkv,a cat sleeps,0,9.8,
"""


def test_a_table_is_guessed_shown_and_joined(imported):
    came = imported("moments.csv", MOMENTS)
    assert came.status == 0 and came.rejected == []
    assert came.moments() == [
        ("door.mp4", "a man opens the door", [[1.5, 4], [10, 12.5]]),
        ("more/cat.mkv", "a cat sleeps", [[0, 9.8]]),
    ]
    door, cat = came.rows
    assert (door.id, cat.id) == ("door-0", "more/cat-0")
    assert door.duration == pytest.approx(20) and cat.duration == pytest.approx(10)
    assert door.meta == {"who": "anna"} and cat.meta == {}
    assert "moments.csv:2" in door.history[0]["why"] and "moments.csv:3" in door.history[0]["why"]
    for line in ("video    <- clip", "query    <- sentence", "start    <- t_begin", "meta     <- who"):
        assert line in came.printed
    assert came.printed.index("<- clip") < came.printed.index("2 rows of 2 videos, 1 spans joined")


def test_what_does_not_get_in_is_listed_with_line_and_reason(imported):
    lines = [
        "video,query,start,end",
        "door,fine,1,2",
        "window,no such video,1,2",
        "door,reversed,5,4",
        "door,too late,5,30",
        "door,no end,5,",
        "door,,1,2",
        ",no video,1,2",
        "door,no time,soon,2",
        "door,before,-1,2",
        "broken,damaged,1,2",
        "door,too many,cells,1,2",
        '"door","two\nlines",3,4',
        "door,after,1:99,2",
    ]
    came = imported("moments.csv", "\n".join(lines))
    assert came.status == 0
    assert [query for _, query, _ in came.moments()] == ["fine", "two\nlines"]
    reasons = dict(came.reasons())
    expected = {
        3: "video 'window' is not below",
        4: "ends before it starts",
        5: "ends after the video",
        6: "end is empty",
        7: "query is empty",
        8: "names no video",
        9: "start is no time: 'soon'",
        10: "starts before the video",
        11: "cannot be read",
        12: "5 cells, but there are 4 columns",
        15: "60 seconds",
    }
    assert reasons.keys() == expected.keys()
    for line, said in expected.items():
        assert said in reasons[line], line
    assert "11 left out" in came.printed and "... and 1 more" in came.printed


def test_semicolons_and_decimal_commas(imported):
    came = imported("m.csv", "video;label;start;end\ndoor;opens, then closes;1,5;2,25\n")
    assert came.moments() == [("door.mp4", "opens, then closes", [[1.5, 2.25]])]


def test_a_table_without_a_header_and_times_in_milliseconds(imported):
    came = imported("m.tsv", "door\t1500\t2500\ta\n", "--columns", "video,start,end,query", "--times", "ms")
    assert came.moments() == [("door.mp4", "a", [[1.5, 2.5]])]


def test_frames_need_a_rate(imported):
    text = "video,text,start_frame,end_frame\ndoor,a,8,20\ncat,b,5,10\n"
    came = imported("m.csv", text)
    assert (
        came.status == 2 and "give --fps" in came.error and came.error.count("\n") == 2
    )  # of the measuring, and of this
    assert imported("m.csv", text, "--fps", "file").moments() == [
        ("door.mp4", "a", [[2, 5]]),
        ("more/cat.mkv", "b", [[1, 2]]),
    ]
    assert imported("m.csv", text, "--fps", "10").moments()[0][2] == [[0.8, 2]]
    assert imported("m.csv", text, "--fps", "ten").status == 2


def test_map_where_source_and_no_join(imported):
    text = "video,caption,note,start,duration\ndoor,x,a man sits,1,2\ndoor,x,A man sits,5,2\ndoor,y,a dog,1,2\n"
    words = ["--map", "query=note,length=duration,duration=", "--where", "caption=x", "--source", "mine"]
    came = imported("m.csv", text, *words)
    assert came.moments() == [("door.mp4", "a man sits", [[1, 3], [5, 7]])] and came.rows[0].source == "mine"
    assert "1 passed over" in came.printed
    assert len(imported("m.csv", text, *words, "--no-join").rows) == 2


def test_a_dry_run_writes_nothing(imported, tmp_path):
    came = imported("m.csv", MOMENTS, "--dry-run")
    assert came.status == 0 and '"query": "a man opens the door"' in came.printed
    assert os.listdir(tmp_path) == ["m.csv"]


def test_json_lists_have_lines_and_a_broken_end_is_listed(imported):
    text = '[\n {"vid": "door", "query": "a", "relevant_windows": [[1, 2], [3, 4]]},\n\n'
    text += ' {"vid": "door", "query": "b", "relevant_windows": [[9, 2]]},\n {"vid": "door", "que'
    came = imported("m.json", text)
    assert came.moments() == [("door.mp4", "a", [[1, 2], [3, 4]])]
    assert [line for line, _ in came.reasons()] == [5, 4] and "nothing after it" in came.reasons()[0][1]


@pytest.mark.parametrize(
    "tree",
    [
        {"door": {"duration": 20, "timestamps": [[1, 2], [3, 4]], "sentences": ["a", "b"]}},
        {
            "version": "1",
            "database": {
                "door": {"annotations": [{"segment": [1, 2], "label": "a"}, {"segment": [3, 4], "label": "b"}]}
            },
        },
        {"door": [{"start": 1, "end": 2, "label": "a"}, {"start": 3, "end": 4, "label": "b"}]},
        [
            {
                "video_path": "x/door.mp4",
                "duration": 20,
                "events": [{"query": "a", "span": [[1, 2]]}, {"query": "b", "span": [3, 4]}],
            }
        ],
        {
            "info": {},
            "data": [
                {"video": "door", "query": "a", "start": 1, "end": 2},
                {"video": "door", "query": "b", "start": 3, "end": 4},
            ],
        },
        {
            "video": "door.webm",
            "segments": [{"text": "a", "start": 1, "end": "2"}, {"text": "b", "start": 3, "end": 4}],
        },
        [
            {"video": {"path": "door.mp4", "bytes": None}, "query": q, "start": [s], "end": [s + 1]}
            for q, s in (("a", 1), ("b", 3))
        ],
    ],
)
def test_shapes_of_json(imported, tree):
    came = imported("m.json", json.dumps(tree))
    assert came.moments() == [("door.mp4", "a", [[1, 2]]), ("door.mp4", "b", [[3, 4]])] and came.rejected == []


def test_jsonl_lines_that_are_none(imported):
    good = json.dumps({"video": "door", "query": "a", "start": 1, "end": 2})
    came = imported("m.jsonl", b"\xef\xbb\xbf" + good.encode() + b'\n\n[1]\n{"video": \n\xff\xfe\n')
    assert len(came.rows) == 1
    assert [line for line, _ in came.reasons()] == [3, 4, 5]
    assert len(imported("m.json", f"{good}\n{good}\n").rows) == 1  # JSONL by another name; twice the same is one


def test_several_files_of_several_kinds_and_ids_that_come_twice(imported, tmp_path):
    (tmp_path / "one.jsonl").write_text('{"id": "q", "video": "door", "query": "a", "span": [1, 2]}\n')
    came = imported("two.csv", "id,video,query,start,end\nq,door,b,1,2\n7,cat,c,1,2\n", str(tmp_path / "one.jsonl"))
    assert [row.id for row in came.rows] == ["q", "7"]
    assert "id 'q' is that of" in came.rejected[0]["reason"] and came.rejected[0]["file"].endswith("one.jsonl")


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_rows_that_were_exported_are_imported_unchanged(imported, tmp_path, ending):
    rows = [
        Row(
            "one", "door.mp4", 19.9, "x", [Span(1, 2), Span(3, 4)], Span(0, 10), "sensitive", None, "s", {"a": [1, {}]}
        ),
        Row("two", "door.mp4", 20.0, "x", [Span(3, 4)], history=[{"stage": "s", "what": "w", "why": "y"}]),
        Row("three", "more/cat.mkv", 10.0, " ", question="Which?", options=["a", "b"], answer="B"),
        Row("four", "more/cat.mkv", 10.0, "never", quality={"asked": {"happens": 0.5}}, difficulty={"pass@1": 1}),
    ]
    write_rows(tmp_path / f"own.{ending}", rows)
    came = imported(f"own.{ending}", None)
    assert came.rows == rows and came.rejected == []
    assert imported(f"own.{ending}", None, "--out", str(tmp_path / "again.parquet")).status == 0
    assert list(read_rows(tmp_path / "again.parquet")) == rows


def test_our_own_rows_as_a_table_of_texts(imported):
    names = ["id", "video", "duration", "query", "spans", "window", "question", "meta", "direction"]
    cells = ["q", "door.mp4", "20", "opens", '"[[1, 2], [3, 4]]"', "", "", '"{""a"": 1}"', "sensitive"]
    (row,) = imported("own.csv", ",".join(names) + "\n" + ",".join(cells) + "\n").rows
    assert row == Row("q", "door.mp4", 20.0, "opens", [Span(1, 2), Span(3, 4)], None, "sensitive", meta={"a": 1})


times = st.floats(0, 20).map(lambda time: round(time, 3))
own_rows = st.builds(
    Row,
    id=st.text(min_size=1).filter(str.strip),
    video=st.just("door.mp4"),
    duration=st.just(20.0),
    query=st.text(st.characters(categories=["L"]), min_size=1),
    spans=st.lists(st.tuples(times, times).map(lambda ends: Span(min(ends), max(ends))), max_size=3),
    meta=st.dictionaries(st.text().filter(lambda key: key != "events"), st.text() | st.integers(), max_size=2),
    direction=st.sampled_from(["sensitive", "unknown"]),
    source=st.text(),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(own_rows, max_size=5, unique_by=lambda row: row.id), st.booleans())
def test_the_import_of_rows_is_the_identity(clips, rows, as_table):
    info = probe(clips / "door.mp4")
    columns = guess("own", list(Row.__dataclass_fields__), {}, None)
    written = [to_cells(row.to_json()) if as_table else row.to_json() for row in rows]
    placed = [(Record(Place("own", n), fields), columns, "door.mp4") for n, fields in enumerate(written)]
    done = importing.converted(placed, {"door.mp4": info}, [], importing.ImportSettings((), clips))
    assert done.rows == rows and done.refused == []
    assert not as_table or [Row.from_json(from_cells(cells)) for cells in written] == rows


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), times, times), max_size=12))
def test_no_moment_is_lost_or_made_up(clips, moments):
    info = probe(clips / "door.mp4")
    columns = guess("m", ["video", "query", "start", "end"], {}, None)
    placed = [
        (Record(Place("m", n), {"video": "door", "query": query, "start": start, "end": end}), columns, "door.mp4")
        for n, (query, start, end) in enumerate(moments)
    ]
    done = importing.converted(placed, {"door.mp4": info}, [], importing.ImportSettings((), clips))
    assert {(row.query, *span.to_list()) for row in done.rows for span in row.spans} == {
        m for m in moments if m[1] <= m[2]
    }
    assert {one.place.line for one in done.refused} == {n for n, m in enumerate(moments) if m[1] > m[2]}
    assert len({row.id for row in done.rows}) == len(done.rows) == len({m[0] for m in moments if m[1] <= m[2]})


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("m.csv", "", "holds no annotation"),
        ("m.csv", "video,text\n", "holds no annotation"),
        ("m.csv", "a,b\n1,2\n", "no column for video"),
        ("m.csv", "a,a\n1,2\n", "two columns are called 'a'"),
        ("m.csv", b"video,query,start,end\nd\xff,a,1,2\n", "m.csv:2: not UTF-8"),
        ("m.json", "{", "not JSON"),
        ("m.json", "7", "expected a list"),
        ("m.json", '{"a": {}, "a": {}}', "stands twice"),
        ("m.jsonl", "no\n", "m.jsonl:1: not JSON"),
        ("m.parquet", "no", "not readable as Parquet"),
        ("m.doc", "no", "a name that says no format"),
        ("m.eaf", "no", "not readable as XML"),
        ("m.eaf", "<x/>", "not an ELAN document"),
        ("m.eaf", '<!DOCTYPE x [<!ENTITY a "b">]><x/>', "entities"),
        ("missing.csv", None, "no such file"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_status_2(imported, name, text, said):
    came = imported(name, text)
    assert came.status == 2 and said in came.error and came.error.count("\n") == 1 and came.rows == []


def test_sizes_are_looked_at_before_memory_is_spent(imported, monkeypatch):
    monkeypatch.setattr("timeground.data_pipeline.importing.json_files.whole_text", lambda p: texts.whole_text(p, 100))
    assert "has to be read whole" in imported("m.json", " " * 200).error
    monkeypatch.setattr(texts, "MAX_LINE_BYTES", 100)
    good = json.dumps({"video": "door", "query": "a", "start": 1, "end": 2})
    came = imported("m.jsonl", f"{good}\n{' ' * 500}{good}\n{good.replace('a', 'b', 1)}\n{good}")
    assert [line for line, reason in came.reasons() if "on one line" in reason] == [2] and len(came.rows) == 2
    assert "is this the right file" in imported("m.csv", "video," + "x" * 500).error
    monkeypatch.setattr(importing, "MAX_RECORDS", 2)
    assert "import them in parts" in imported("m.jsonl", f"{good}\n" * 3).error


def test_an_input_is_not_overwritten(imported, tmp_path):
    came = imported("rows.jsonl", "{}\n")
    assert came.status == 2 and "written over a file that is read" in came.error
    assert (tmp_path / "rows.jsonl").read_text() == "{}\n"
