"""What people annotate with: subtitles, ELAN, Label Studio, Parquet, datasets, and a reader of one's own."""

from __future__ import annotations

import json

import pytest

SRT = """1
00:00:01,000 --> 00:00:02,500
a man <i>opens</i>
the door

2
00:00:03,000 -> 00:00:04,000
an arrow too short

3
00:00:05,000 --> 00:00:06,000

4
00:00:07,000 --> 00:00:08,000
- {\\an8}Hello &amp; bye

left alone
"""
VTT = """WEBVTT - title

NOTE
a comment

STYLE
::cue { color: red }

first
00:01.000 --> 00:02.000 align:start
<v Anna>a man opens</v> <00:00:01.500>the door
"""
EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT VERSION="3.0"><HEADER TIME_UNITS="milliseconds">
<MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/me/door.mp4" MIME_TYPE="video/mp4"
  RELATIVE_MEDIA_URL="./door.mp4" TIME_ORIGIN="500"/>
</HEADER><TIME_ORDER><TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="1000"/><TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="2500"/>
<TIME_SLOT TIME_SLOT_ID="ts3"/></TIME_ORDER>
<TIER TIER_ID="Actions">
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
<ANNOTATION_VALUE>opens the door</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts2" TIME_SLOT_REF2="ts3">
<ANNOTATION_VALUE>no end</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
<TIER TIER_ID="German" PARENT_REF="Actions">
<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a3" ANNOTATION_REF="a1"><ANNOTATION_VALUE>Tür auf</ANNOTATION_VALUE>
</REF_ANNOTATION></ANNOTATION>
<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a4" ANNOTATION_REF="a4"><ANNOTATION_VALUE>round</ANNOTATION_VALUE>
</REF_ANNOTATION></ANNOTATION>
</TIER></ANNOTATION_DOCUMENT>"""


def test_srt(imported):
    came = imported("door.en.srt", SRT)
    assert came.moments() == [
        ("door.mp4", "a man opens the door", [[1, 2.5]]),
        ("door.mp4", "- Hello & bye", [[7, 8]]),
    ]
    assert [line for line, _ in came.reasons()] == [7, 11, 17]
    for said, (_, reason) in zip(
        ("not a time", "a cue without words", "text without times"), came.reasons(), strict=True
    ):
        assert said in reason


def test_vtt(imported):
    came = imported("cat.vtt", VTT)
    assert came.moments() == [("more/cat.mkv", "a man opens the door", [[1, 2]])] and came.rejected == []


def test_elan(imported):
    came = imported("session 1.eaf", EAF)
    assert came.moments() == [("door.mp4", "opens the door", [[1.5, 3]]), ("door.mp4", "Tür auf", [[1.5, 3]])]
    assert [row.meta["tier"] for row in came.rows] == ["Actions", "German"]
    assert [one["part"] for one in came.rejected] == ["tier Actions, a2", "tier German, a4"]
    assert len(imported("session 1.eaf", EAF, "--where", "tier=German").rows) == 1


def _region(start: int, end: int, *labels: str) -> dict:
    value = {"ranges": [{"start": start, "end": end}], "timelinelabels": list(labels)}
    return {"type": "timelinelabels", "from_name": "labels", "to_name": "video", "value": value}


TASKS = [
    {
        "id": 1,
        "data": {"video": "/data/upload/1/0123abcd-door.mp4", "note": "x"},
        "annotations": [
            {"id": 5, "result": [_region(1, 60, "opens"), _region(91, 120, "closes", "slowly"), _region(1, 2)]},
            {"id": 6, "was_cancelled": True, "result": [_region(1, 60, "not meant")]},
            {"id": 7, "result": [{"type": "labels", "value": {"start": 6.5, "end": 7.5, "labels": ["speaks"]}}]},
        ],
        "predictions": [{"result": [_region(1, 60, "guessed")]}],
    },
    {"id": 2, "data": {"video": "door.mp4"}, "annotations": [{"id": 8, "result": []}]},
]


def test_label_studio(imported):
    came = imported("export.json", json.dumps(TASKS, indent=1), "--fps", "30")
    assert came.moments() == [
        ("door.mp4", "opens", [[0, 2]]),
        ("door.mp4", "closes", [[3, 4]]),
        ("door.mp4", "slowly", [[3, 4]]),
        ("door.mp4", "speaks", [[6.5, 7.5]]),
    ]
    assert [reason for _, reason in came.reasons()] == [
        "a region without a label; give it one",
        "a task without a region on the timeline",
    ]
    short = [{"id": 1, "video": "door.mp4", "labels": [_region(1, 60, "opens")["value"]]}]
    assert imported("min.json", json.dumps(short), "--fps", "30").moments() == [("door.mp4", "opens", [[0, 2]])]
    assert "give --fps" in imported("min.json", json.dumps(short)).error


def test_parquet_of_ones_own_without_its_bytes(imported, tmp_path):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    file = {"bytes": b"x" * 1000, "path": "door.mp4"}
    table = arrow.table({"video": [file], "picture": [b"x"], "caption": ["opens"], "timestamps": [[1.0, 2.0]]})
    parquet.write_table(table, tmp_path / "m.parquet")
    came = imported("m.parquet", None)
    assert came.moments() == [("door.mp4", "opens", [[1, 2]])] and came.rows[0].meta == {}


def test_a_saved_dataset(imported, tmp_path):
    datasets = pytest.importorskip("datasets")
    table = datasets.Dataset.from_dict({"video": ["door"], "query": ["opens"], "start": ["0:01"], "end": ["0:02"]})
    datasets.DatasetDict({"train": table, "test": table}).save_to_disk(tmp_path / "saved")
    assert imported("saved", None).moments() == [("door.mp4", "opens", [[1, 2]])]  # of both splits, joined
    (tmp_path / "empty").mkdir()
    assert "a folder that datasets did not save" in imported("empty", None).error


READER = """
def read(path):
    for line in path.read_text().split("|"):
        video, start, end, text = line.split("~")
        yield {"video": video, "start": start, "end": end, "query": text}

def odd(path):
    yield 7

number = 3
"""


def test_a_reader_of_ones_own(imported, tmp_path):
    (tmp_path / "my_reader.py").write_text(READER)
    mine = str(tmp_path / "my_reader.py")
    came = imported("notes.txt", "door~1~2~opens|cat~0:03~4~sleeps", "--reader", f"{mine}:read")
    assert came.moments() == [("door.mp4", "opens", [[1, 2]]), ("more/cat.mkv", "sleeps", [[3, 4]])]
    for reader, said in [
        (f"{mine}:read", "failed on"),
        (f"{mine}:odd", "gave no dict, but 7"),
        (f"{mine}:none", "nothing called 'none'"),
        (f"{mine}:number", "not a function"),
        (f"{tmp_path}/none.py:read", "no such file"),
        ("json", "your own as package.module:name"),
    ]:
        came = imported("notes.txt", "door~1", "--reader", reader)
        assert came.status == 2 and said in came.error and came.error.count("\n") == 1, came.error
