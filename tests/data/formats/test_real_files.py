"""What the real annotation files hold, as the reference counted it."""

from __future__ import annotations

from collections import Counter

import pytest

from timeground.data import formats
from timeground.data.formats.files import PUBLISHED, UNKNOWN_DURATION_S
from timeground.data.rows import Row

pytestmark = pytest.mark.realdata


def rows_of(realdata, name, folder, split=None):
    rows = list(formats.read(name, realdata / folder, split))
    assert len({row.id for row in rows}) == len(rows)
    for row in rows:
        obj = row.to_json()
        if row.duration == UNKNOWN_DURATION_S:
            obj["duration"] = 1.0  # what a reader cannot know; everything else must be a valid row
        Row.from_json(obj)
    return rows


def test_charades(realdata):
    rows = rows_of(realdata, "charades", "charades")
    assert len(rows) == 3720 and len({row.video for row in rows}) == 1334
    clamped = [row for row in rows if PUBLISHED in row.meta]
    assert len(clamped) == 562
    assert all(row.spans[0].end_s == row.duration < row.meta[PUBLISHED][0][1] for row in clamped)
    first = rows[0]
    assert (first.id, first.video, first.query) == ("3MSZA-1", "3MSZA.mp4", "person turn a light on.")
    assert first.spans[0].to_list() == [24.3, 30.4]
    sample = [row for row in rows if row.video == "OHOFG.mp4"]
    assert Counter(tuple(row.spans[0].to_list()) for row in sample) == {(1.0, 7.5): 2, (22.3, 33.0): 4}


def test_activitynet(realdata):
    rows = rows_of(realdata, "activitynet", "activitynet", "val")
    assert len(rows) == 17505 and len({row.video for row in rows}) == 4917
    assert sum(PUBLISHED in row.meta for row in rows) == 134
    assert all(row.query == row.query.strip() for row in rows)


def test_tacos(realdata):
    rows = rows_of(realdata, "tacos", "tacos")
    assert len(rows) == 4001 and len({row.video for row in rows}) == 25
    first = rows[0]
    assert first.video == "s30-d52.avi" and first.query == "She took out kiwi"
    assert first.spans[0].to_list() == pytest.approx([141 / 29.4, 354 / 29.4])
    assert first.duration == pytest.approx(7346 / 29.4)


def test_qvhighlights(realdata):
    rows = rows_of(realdata, "qvhighlights", "qvhighlights")
    assert len(rows) == 1550
    assert [sum(len(row.spans) == n for row in rows) for n in (1, 2, 3)] == [1020, 278, 116]
    assert rows[0].id == "2579" and len(rows[0].meta["saliency_scores"]) == len(rows[0].meta["relevant_clip_ids"])


def test_nextgqa(realdata):
    rows = rows_of(realdata, "nextgqa", "nextgqa", "val")
    assert len(rows) == 3358
    assert len({row.video for row in rows}) == 567  # the file lists 570 videos, three of them without a question
    assert sum(len(row.spans) for row in rows) == 3931
    assert {row.meta["type"] for row in rows} == {"CW", "CH", "TN", "TC", "TP"}
    assert rows[0].id == "4882821564_1" and rows[0].answer == "C" and rows[0].task == "choice"


def test_nextgqa_test_split_begins_before_the_video(realdata, caplog):
    rows = rows_of(realdata, "nextgqa", "nextgqa", "test")
    assert len(rows) == 5548 and sum(len(row.options) < 5 for row in rows) == 1  # the copy ends within its last line
    assert "test.csv: 1 with fewer than five options" in caplog.text
    mended = [row for row in rows if PUBLISHED in row.meta]
    assert sum(start_s < 0 for row in mended for start_s, _ in row.meta[PUBLISHED]) == 36
    assert all(row.spans[0].start_s == 0 for row in mended)
    assert "gsub_test.json: 36 spans begin before the video" in caplog.text


def test_mlvu_items_without_a_right_answer(realdata, caplog):
    rows = rows_of(realdata, "mlvu", "mlvu")
    assert len(rows) == 355
    assert [row.id for row in rows if row.answer is None] == ["2_needle-34", "2_needle-338"]
    assert "2_needle.json: 2 with an answer that is none of the options" in caplog.text


def test_rextime(realdata):
    rows = rows_of(realdata, "rextime", "rextime")
    assert len(rows) == 921 and all(len(row.spans) == 1 for row in rows)
    assert sum(row.spans[0].length_s == 0 for row in rows) == 2
    assert Counter(row.answer for row in rows) == {"A": 248, "B": 224, "C": 222, "D": 227}


def test_tvgbench(realdata):
    rows = rows_of(realdata, "tvgbench", "tvgbench")
    assert len(rows) == 800
    assert Counter(row.source.split("/")[1] for row in rows) == {
        "tacos": 168, "anet": 168, "ego4d-nlq": 168, "hirest": 158, "charades": 138
    }  # fmt: skip
    assert sum(row.spans[0].length_s == 0 for row in rows) == 11
    assert sum(row.spans[0].end_s > row.duration for row in rows) == 27
    assert len({row.meta["type"] for row in rows}) == 11
    assert sum(row.meta["type"] == "Human Action (Simple)" for row in rows) == 306


def test_tempcompass(realdata):
    rows = rows_of(realdata, "tempcompass", "tempcompass")
    assert len(rows) == 1580 and len({row.video for row in rows}) == 410
    assert Counter(row.meta["aspect"] for row in rows)["direction"] == 335
    assert all(len(row.options) in (2, 3, 4) for row in rows)
    assert all(row.options["ABCD".index(row.answer)] in row.meta["answer"] for row in rows)
