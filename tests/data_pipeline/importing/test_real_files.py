"""Public annotation files, imported without a reader of their own: the same moments as their readers give."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from timeground.data_pipeline.importing import run as importing
from timeground.data_pipeline.importing.drafts import Rate

from timeground.data import formats
from timeground.data.formats.files import PUBLISHED
from timeground.media.decode import probe

pytestmark = pytest.mark.realdata


@pytest.fixture
def realdata() -> Path:
    folder = os.environ.get("TIMEGROUND_REALDATA")
    if not folder:
        pytest.skip("TIMEGROUND_REALDATA names no folder with the public files")
    return Path(folder)


def take_all(file: Path, clips: Path, **said) -> importing.Imported:
    """Import a file as if every video that it names were there, as long as its record says."""
    settings = importing.ImportSettings((file,), clips, join=False, **said)
    (taken,) = importing.take(settings)
    assert taken.columns is not None
    info = probe(clips / "door.mp4")
    placed, measured = [], {}
    for record in taken.records:
        video, fields = str(record.fields[taken.columns.of["video"]]), record.fields
        length_s = fields["duration"] if "duration" in fields else fields["num_frames"] / fields["fps"]
        placed.append((record, taken.columns, video))
        measured[video] = replace(info, duration_s=float(length_s))
    return importing.converted(placed, measured, taken.refused, settings)


def test_qvhighlights(realdata, clips):
    done = take_all(realdata / "qvhighlights" / "highlight_val_release.jsonl", clips)
    expected = {row.id: row for row in formats.read("qvhighlights", realdata / "qvhighlights")}
    assert len(done.rows) == len(expected) == 1550 and done.refused == []
    theirs = [(row.query.strip(), row.spans) for row in expected.values()]
    assert [(row.query.strip(), row.spans) for row in done.rows] == theirs


def test_activitynet(realdata, clips):
    done = take_all(realdata / "activitynet" / "val.json", clips)
    expected = list(formats.read("activitynet", realdata / "activitynet", "val"))
    sound = {(Path(r.video).stem, r.query, *r.spans) for r in expected if PUBLISHED not in r.meta}
    assert len(sound) > 0.98 * len(expected)
    assert {(row.video, row.query.strip(), *row.spans) for row in done.rows} >= sound
    assert all("ends after the video" in one.reason or "ends before" in one.reason for one in done.refused)


def test_tacos_counts_frames(realdata, clips):
    done = take_all(realdata / "tacos" / "test.json", clips, unit="frames", rate=Rate())
    expected = list(formats.read("tacos", realdata / "tacos"))
    assert len(done.rows) + len(done.refused) == len(expected)
    ours = [row.spans[0] for row in done.rows]
    assert ours[0].start_s == pytest.approx(expected[0].spans[0].start_s, abs=0.05)
