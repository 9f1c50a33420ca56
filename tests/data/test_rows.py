"""Rows: strict reading, errors with their line, atomic writing, paths that stay in the root."""

import importlib.util
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeground.data.rows import (
    Row,
    check_rows,
    from_cells,
    read_rows,
    resolve_video,
    row_problems,
    to_cells,
    write_rows,
)
from timeground.errors import UserError
from timeground.spans import Span

GOOD: dict[str, Any] = {
    "id": "r1",
    "video": "a/b.mp4",
    "duration": 60,
    "query": "a man sits",
    "spans": [[1, 2.5]],
}

names = st.text(min_size=1).filter(str.strip)
spans = st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)).map(lambda t: Span(min(t), max(t)))
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
objects = st.dictionaries(
    st.text().filter(lambda key: key != "events"),
    st.recursive(leaves, lambda inner: st.lists(inner, max_size=3)),
    max_size=3,
)
rows = st.builds(
    Row,
    id=names,
    video=names,
    duration=st.floats(0.01, 1e6),
    query=names,
    spans=st.lists(spans, max_size=3),
    window=st.none() | spans.filter(lambda span: span.length_s > 0),
    direction=st.sampled_from(["sensitive", "insensitive", "unknown"]),
    mirrored_query=st.none() | st.text(),
    source=st.text(),
    meta=objects,
    question=st.none() | st.text(),
    options=st.none() | st.lists(st.text(), min_size=1, max_size=4),
    answer=st.none() | st.text(),
    quality=objects,
    difficulty=objects,
    history=st.lists(objects, max_size=2),
)


def _write(path: Path, *lines: object) -> Path:
    path.write_text("".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in lines), encoding="utf-8")
    return path


@given(rows)
def test_row_to_json_and_back(row: Row) -> None:
    assert Row.from_json(json.loads(json.dumps(row.to_json()))) == row
    assert Row.from_json(from_cells(json.loads(json.dumps(to_cells(row.to_json()))))) == row


@settings(max_examples=30)
@given(st.lists(rows, max_size=5, unique_by=lambda row: row.id))
def test_files_give_back_what_was_written(tmp_path_factory: pytest.TempPathFactory, some: list[Row]) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    assert write_rows(path, some) == len(some)
    assert list(read_rows(path)) == some and check_rows(path) == []
    assert os.listdir(path.parent) == ["rows.jsonl"]


def test_a_row_may_leave_out_what_it_does_not_need() -> None:
    row = Row.from_json(GOOD)
    assert row == Row("r1", "a/b.mp4", 60.0, "a man sits", [Span(1, 2.5)]) and row.direction == "unknown"
    assert row.to_json()["spans"] == [[1.0, 2.5]] and row.to_json()["window"] is None
    assert set(row.to_json()) == set(Row.__dataclass_fields__)


def test_tasks() -> None:
    def task(**more: Any) -> str:
        return Row.from_json(GOOD | more).task

    assert task() == "ground"
    assert task(question="Which?", options=["a", "b"], answer="A", query="") == "choice"
    assert task(question="Is it?", answer="Yes", query="") == "yes_no"
    assert task(question="Who?", answer="the man") == "open" and task(question="Yes?") == "ground"
    assert task(meta={"events": [{"query": "x", "span": [1, 2]}]}, query="") == "events"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "unknown key colour"),
        ({"id": ""}, "id is empty"),
        ({"id": 3}, "id must be a string, got 3"),
        ({"video": None}, "video must be a string"),
        ({"duration": -1}, "duration must be more than 0"),
        ({"duration": 0}, "duration must be more than 0"),
        ({"duration": "60"}, "duration must be a number"),
        ({"duration": True}, "duration must be a number"),
        ({"duration": float("nan")}, "duration must be a finite number"),
        ({"duration": 10**400}, "duration must be a finite number"),
        ({"query": "  "}, "query is empty"),
        ({"query": ["a"]}, "query must be a string"),
        ({"spans": [1, 2]}, r"spans\[0\] must be \[start, end\]"),
        ({"spans": [[1, 2], [5, 4]]}, r"spans\[1\] ends before it starts"),
        ({"spans": [[-1, 4]]}, r"spans\[0\] starts before the video"),
        ({"spans": [[1, float("inf")]]}, r"spans\[0\] must be a finite"),
        ({"spans": [[1, 2, 3]]}, r"spans\[0\] must be"),
        ({"spans": None}, "spans must be a list"),
        ({"window": [3, 3]}, "window has no length"),
        ({"window": [3]}, "window must be"),
        ({"direction": "forward"}, "direction must be one of sensitive"),
        ({"direction": ["unknown"]}, "direction must be one of sensitive"),
        ({"options": []}, "options must be a list"),
        ({"options": [1]}, r"options\[0\] must be a string"),
        ({"meta": []}, "meta must be a JSON object"),
        ({"meta": {"a": [1, float("nan")]}}, r"meta\.a\.1 is nan"),
        ({"meta": {"events": [{"query": "x"}]}}, r"meta\.events\[0\] needs"),
        ({"meta": {"events": [{"query": "x", "span": [2, 1]}]}}, r"meta\.events\[0\]\.span ends before"),
        ({"history": {}}, "history must be a list"),
        ({"history": [1]}, r"history\[0\] must be a JSON object"),
        ({"answer": 2}, "answer must be a string"),
    ],
)
def test_bad_values_are_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = _write(tmp_path / "rows.jsonl", GOOD, "", GOOD | {"id": "r2"} | change)
    with pytest.raises(UserError, match=rf"rows\.jsonl:3: {message}") as caught:
        list(read_rows(path))
    assert check_rows(path) == [str(caught.value)] and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "r2", ', "not JSON"),
        ("[1]", "a row must be a JSON object"),
        ('{"id": "r2"}', "key video, duration is missing"),
        ("[" * 100_000, "put one object on each line"),
        ('{"duration": ' + "9" * 5000 + "}", "put one object on each line"),
        (json.dumps(GOOD), "id 'r1' is already on line 1"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, line: str, message: str) -> None:
    path = _write(tmp_path / "rows.jsonl", GOOD, line)
    with pytest.raises(UserError, match=rf"rows\.jsonl:2: .*{message}"):
        list(read_rows(path))


def test_every_problem_is_collected_and_reading_streams(tmp_path: Path) -> None:
    path = _write(tmp_path / "rows.jsonl", GOOD, "{", GOOD | {"id": "r2"}, GOOD, GOOD | {"id": "x", "spans": [[2, 1]]})
    assert [problem.split(":")[1] for problem in check_rows(path)] == ["2", "4", "5"]
    stream = read_rows(path)
    assert next(stream).id == "r1"
    with pytest.raises(UserError):
        next(stream)


def test_bytes_that_are_no_text_and_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b"\r\n\xff\xfe\n")
    assert check_rows(path) == [f"{path}:2: not UTF-8; save the file as UTF-8"]
    with pytest.raises(UserError, match="no such file"):
        read_rows(tmp_path / "none.jsonl")
    with pytest.raises(UserError, match="is a folder"):
        check_rows(tmp_path)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    good = Row.from_json(GOOD)
    write_rows(path, [good])
    before = path.read_bytes()

    def broken() -> Iterator[Row]:
        yield Row.from_json(GOOD | {"id": "new"})
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        write_rows(path, broken())
    bad_rows = [
        (Row("x", "v.mp4", 5.0, "q", [Span(2, 1)]), "ends before it starts"),
        (Row("x", "v.mp4", 5.0, "q", meta={"a": Path("b")}), "cannot be stored"),
        (Row("r1", "v.mp4", 5.0, "q"), "is there twice"),
    ]
    for bad, message in bad_rows:
        with pytest.raises(UserError, match=f"row 2: .*{message}"):
            write_rows(path, [good, bad])
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["rows.jsonl"]
    with pytest.raises(UserError, match="cannot be written"):
        write_rows(path / "rows.jsonl", [good])


def test_videos_stay_in_the_root(tmp_path: Path) -> None:
    root = tmp_path / "videos"
    (root / "a").mkdir(parents=True)
    (root / "inner").symlink_to(root / "a")
    (root / "out").symlink_to(tmp_path)
    (root / "loop").symlink_to(root / "loop")
    assert resolve_video(root, "a/b.mp4") == resolve_video(str(root), "inner/b.mp4") == (root / "a/b.mp4").resolve()
    for bad in ("../x.mp4", "a/../../x.mp4", "/etc/passwd", str(root / "a/b.mp4"), "out/x.mp4", "a\0b"):
        with pytest.raises(UserError, match="video"):
            resolve_video(root, bad)
    path = _write(tmp_path / "rows.jsonl", GOOD, GOOD | {"id": "r2", "video": "../x.mp4"})
    assert len(list(read_rows(path, root=None))) == 2
    with pytest.raises(UserError, match=r"rows\.jsonl:2: video '\.\./x\.mp4' leaves"):
        list(read_rows(path, root=root))


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is not None, reason="pyarrow is installed")
def test_parquet_without_pyarrow_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    with pytest.raises(UserError, match="pip install pyarrow"):
        write_rows(path, [Row.from_json(GOOD)])
    assert os.listdir(tmp_path) == []
    path.write_bytes(b"PAR1")
    with pytest.raises(UserError, match="pip install pyarrow"):
        list(read_rows(path))


def test_parquet_round_trip(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "rows.parquet"
    some = [
        Row.from_json(GOOD | {"meta": {"a": {"b": [1, None]}}, "options": ["x", "y"], "window": [1, 3]}),
        Row("r2", "c.mp4", 9.0, "ü", history=[{"stage": "s", "why": {"n": 1}}]),
    ]
    assert write_rows(path, some) == 2 and list(read_rows(path)) == some
    assert write_rows(path, []) == 0 and list(read_rows(path)) == []
    path.write_bytes(b"PAR1 broken")
    assert "not readable as Parquet" in check_rows(path)[0]


def test_a_reader_of_the_old_file_keeps_the_old_file(tmp_path: Path) -> None:
    path = _write(tmp_path / "rows.jsonl", GOOD)
    with path.open() as old:
        write_rows(path, [Row.from_json(GOOD | {"id": "new"})])
        assert json.loads(old.read())["id"] == "r1" and next(read_rows(path)).id == "new"


def test_all_that_is_wrong_with_a_line_is_said_at_once(tmp_path: Path) -> None:
    bad = {
        "id": 3,
        "vidoe": "v.mp4",
        "duration": "60",
        "query": "a",
        "spans": [[1, 2], [5, 4], [1]],
        "options": ["a", 2],
    }
    path = _write(tmp_path / "rows.jsonl", GOOD, bad)
    problems = [problem.removeprefix(f"{path}:2: ") for problem in check_rows(path)]
    expected = [
        "unknown key vidoe (did you mean video by vidoe?)",
        "key video is missing",
        'id must be a string, got 3; write "3"',
        "duration must be a number of seconds, got '60'; write it without quotes",
        "spans[1] ends before it starts: [5, 4]; swap or drop it",
        "spans[2] must be [start, end] in seconds",
        "options[1] must be a string",
    ]
    assert len(problems) == len(expected)
    for problem, words in zip(problems, expected, strict=True):
        assert problem.startswith(words), problem
    with pytest.raises(UserError, match=r"rows\.jsonl:2: unknown key vidoe"):
        list(read_rows(path))


values = st.none() | st.text(max_size=3) | st.integers() | st.lists(st.lists(st.floats(0, 9), max_size=3), max_size=2)


@given(st.dictionaries(st.sampled_from([*GOOD, "window", "question", "answer", "other"]), values), st.booleans())
def test_what_is_no_row_has_problems_and_a_row_has_none(change: dict[str, Any], is_over: bool) -> None:
    obj = GOOD | change if is_over else change
    problems = row_problems(obj)
    try:
        Row.from_json(obj)
    except UserError as error:
        assert str(error) in problems
    else:
        assert problems == []
