"""What columns are taken for."""

from __future__ import annotations

import pytest
from timeground.data_pipeline.importing.columns import guess, parse_map

from timeground.data.rows import Row
from timeground.errors import UserError


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (
            ["clip", "sentence", "t_begin", "t_end"],
            {"video": "clip", "query": "sentence", "start": "t_begin", "end": "t_end"},
        ),
        (
            ["video_id", "caption", "Start Time", "stop"],
            {"video": "video_id", "query": "caption", "start": "Start Time", "end": "stop"},
        ),
        (["path", "query", "timestamps"], {"video": "path", "query": "query", "spans": "timestamps"}),
        (
            ["qid", "vid", "duration", "query", "relevant_windows"],
            {"id": "qid", "video": "vid", "query": "query", "spans": "relevant_windows", "duration": "duration"},
        ),
        (
            ["videoName", "label", "beginTime", "endTime", "timestamp"],
            {"video": "videoName", "query": "label", "start": "beginTime", "end": "endTime"},
        ),
        (
            ["video", "text", "start_frame", "end_frame", "frame_rate"],
            {"video": "video", "query": "text", "start": "start_frame", "end": "end_frame", "fps": "frame_rate"},
        ),
    ],
)
def test_guesses(names, found):
    assert guess("f", names, {}, None).of == found


def test_units_are_read_from_names():
    units = guess("f", ["video", "text", "start_frame", "end (ms)", "duration_seconds"], {}, None).units
    assert units == {"start": "frames", "end": "ms", "duration": "s"}
    assert guess("f", ["video", "text", "start", "end"], {}, "frames").units == {"start": "frames", "end": "frames"}


def test_our_own_rows_are_known_and_nothing_of_them_is_left():
    columns = guess("f", list(Row.__dataclass_fields__), {}, None)
    assert columns.are_rows and columns.others == () and all(field == name for field, name in columns.of.items())


def test_the_user_corrects_a_guess():
    names = ["video", "text", "caption", "start", "duration"]
    columns = guess("f", names, {"query": "text", "length": "duration", "duration": ""}, None)
    assert columns.of == {"video": "video", "query": "text", "start": "start", "length": "duration"}
    assert columns.others == ("caption",)


@pytest.mark.parametrize(
    ("names", "given", "said"),
    [
        (["text", "start", "end"], {}, "no column for video among text, start, end; say which: --map video=COLUMN"),
        (["video", "start", "end"], {}, "no column for query"),
        (["video", "text", "start"], {}, "end (or length, or spans)"),
        (["video", "text"], {}, "start and end (or spans)"),
        (["video", "sentence", "start", "end"], {"query": "sentense"}, "did you mean sentence?"),
    ],
)
def test_what_is_missing_is_said(names, given, said):
    with pytest.raises(UserError) as error:
        guess("f.csv", names, given, None)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_map_words():
    assert parse_map(["query=a, b,start=t", "id="]) == {"query": "a, b", "start": "t", "id": ""}
    for word in ("query", "sentence=query", "query=a,query=b"):
        with pytest.raises(UserError, match="--map"):
            parse_map([word])
