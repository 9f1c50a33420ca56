"""Keys of a row that cannot be true together, and rows that their video contradicts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from timeground.cli.main import main
from timeground.data.row_checks import contradictions, right_option
from timeground.data.rows import Row, read_rows, write_rows
from timeground.data.video_checks import against_files, contradicted
from timeground.spans import Span

GROUND = Row(id="a-1", video="a.mp4", duration=20.0, query="a man runs", spans=[Span(2, 5)])
ASKED = Row(id="q-1", video="a.mp4", duration=20.0, question="What does he do?", options=["runs", "sits"], answer="A")
EVENTS = Row(id="e-1", video="a.mp4", duration=20.0, question="List the events.")
LIST = {"events": [{"query": "a man runs", "span": [2.0, 5.0]}, {"query": "he sits", "span": [8.0, 30.0]}]}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            replace(GROUND, spans=[Span(2, 5), Span(18, 25)]),
            "spans[1] [18.0, 25.0] ends after the video, which lasts 20 s",
        ),
        (replace(GROUND, window=Span(0, 40)), "window [0.0, 40.0] ends after the video"),
        (replace(GROUND, window=Span(4, 9)), "spans[0] [2.0, 5.0] is not inside the window [4.0, 9.0]"),
        (replace(EVENTS, meta=LIST), "meta.events[1].span [8.0, 30.0] ends after the video"),
        (replace(EVENTS, question=None, meta=LIST), "a list of events without a question"),
        (replace(ASKED, answer=None), "a choice without a right answer"),
        (replace(ASKED, answer="  "), "a choice without a right answer"),
        (replace(ASKED, answer="C"), "answer 'C' is none of the 2 options"),
        (replace(ASKED, answer="walks"), "answer 'walks' is none of the 2 options"),
        (replace(ASKED, options=["runs"]), "1 option; a question takes 2 to 14"),
        (replace(ASKED, options=[str(n) for n in range(15)]), "15 options; a question takes 2 to 14"),
        (replace(ASKED, options=["runs", " "]), "options[1] is empty"),
        (replace(ASKED, question=None, query="a man runs"), "options without a question"),
        (
            replace(ASKED, options=None, answer=None),
            "query has no words; write the sentence to find, or give an answer",
        ),
        (replace(ASKED, options=None, question=" "), "question is empty"),
        (replace(GROUND, query=" ... "), "query has no words"),
    ],
)
def test_contradictions(row, words):
    assert any(problem.startswith(words) for problem in contradictions(row)), contradictions(row)


@pytest.mark.parametrize(
    "row",
    [
        GROUND,
        replace(GROUND, spans=[]),
        replace(GROUND, spans=[Span(12, 20.4)]),  # rounded by those who annotated it
        replace(GROUND, window=Span(2, 9)),
        ASKED,
        replace(ASKED, answer="b"),
        replace(ASKED, answer="(B)."),
        replace(ASKED, answer="sits"),
        replace(ASKED, options=None, answer="he runs"),
        replace(ASKED, options=None, answer="yes"),
        replace(ASKED, options=None, answer=None, query="a man runs"),
        replace(EVENTS, meta={"events": LIST["events"][:1]}),
    ],
)
def test_rows_that_hold_together(row):
    assert contradictions(row) == []


def test_an_answer_that_is_the_text_of_an_option_is_not_taken_for_a_letter():
    assert right_option(replace(ASKED, options=["B", "A"], answer="A")) == 1


def test_rows_against_their_files(synth_folder, tmp_path):
    rows = list(read_rows(synth_folder / "annotations.jsonl"))[:3]
    videos = sorted({row.video for row in read_rows(synth_folder / "annotations.jsonl")})
    rows[0] = replace(rows[0], duration=rows[0].duration + 5)
    rows[1] = replace(rows[1], spans=[Span(0, rows[1].duration + 2)])
    rows += [replace(rows[2], id="gone", video="nowhere.mp4"), replace(rows[2], id="out", video="../x.mp4")]
    found = against_files(rows, synth_folder)
    assert set(found.wrong) == {rows[0].id, rows[1].id} and set(found.unreadable) == {"nowhere.mp4", "../x.mp4"}
    assert "measure it anew" in found.wrong[rows[0].id] and videos[0] in found.wrong[rows[0].id]
    assert "no such file" in found.unreadable["nowhere.mp4"] and "leaves the video root" in found.unreadable["../x.mp4"]


@pytest.mark.parametrize(("stated", "wrong"), [(20.0, False), (20.9, False), (21.1, True), (18.9, True), (1e-3, True)])
def test_a_stated_length_may_be_rounded(stated, wrong):
    assert (contradicted(replace(GROUND, duration=stated, spans=[]), 20.0) is not None) is wrong


def test_data_check_lists_all_of_it_with_its_line(synth_folder, tmp_path, capsys):
    rows = [row for row in read_rows(synth_folder / "annotations.jsonl") if row.task == "ground"][:3]
    rows[1] = replace(rows[1], spans=[Span(1, rows[1].duration + 9)])
    rows[2] = replace(rows[2], duration=rows[2].duration * 2)
    file = tmp_path / "rows.jsonl"
    write_rows(file, rows)
    assert main(["data", "check", str(file)]) == 2
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{file}:2: row {rows[1].id!r}: spans[0]")
    with file.open("a") as more:
        more.write("no row\n")
    assert main(["data", "check", str(file), "--videos", str(synth_folder)]) == 2
    told = capsys.readouterr().out
    assert told.count(repr(rows[1].id)) == 1
    assert f"{file}:2: row" in told and f"{file}:4: not JSON" in told and f"row {rows[2].id!r}: duration is" in told
    write_rows(file, rows[:1])
    assert main(["data", "check", str(file), "--videos", str(synth_folder)]) == 0
    (Path(tmp_path) / "empty").mkdir()
    assert main(["data", "check", str(file), "--videos", str(tmp_path / "empty")]) == 2
    assert f"video {rows[0].video!r} cannot be read" in capsys.readouterr().out


def test_a_check_says_all_in_which_a_row_and_its_file_differ(synth_folder: Path, tmp_path: Path, capsys):
    row = next(read_rows(synth_folder / "annotations.jsonl"))
    far = row.duration + 50
    write_rows(
        tmp_path / "rows.jsonl", [replace(row, duration=far, spans=[Span(0, far), Span(1, far + 9)], window=None)]
    )
    assert main(["data", "check", str(tmp_path / "rows.jsonl"), "--videos", str(synth_folder)]) == 2
    said = capsys.readouterr().out
    assert "spans[1]" in said and "correct the end, or the duration" in said  # by its own duration
    assert "measure it anew" in said and f"spans[0] ends at {far:g} s" in said  # by the file's
