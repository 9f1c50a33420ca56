"""Files that are damaged anywhere: what is read is read, and nothing but a UserError comes of the rest."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from timeground.data_pipeline.importing import run as importing
from timeground.data_pipeline.importing.drafts import Rate
from timeground.data_pipeline.importing.record import Record

from timeground.errors import UserError
from timeground.media.decode import probe

REGION = {"value": {"ranges": [{"start": 1, "end": 9}], "timelinelabels": ["a"]}}
SLOT = '<TIME_SLOT TIME_SLOT_ID="{}" TIME_VALUE="{}"/>'
WHOLE = {
    "m.csv": 'video,query,start,end\ndoor,"a, b",0:01,2\ndoor,c,3,4\n',
    "m.jsonl": '{"video": "door", "query": "a", "spans": [[1, 2], [3, 4]]}\n'
    '{"video": "door", "query": "b", "span": [1, 2]}',
    "m.json": json.dumps({"door": {"duration": 20, "timestamps": [[1, 2]], "sentences": ["a"]}}),
    "l.json": json.dumps([{"data": {"video": "door"}, "annotations": [{"result": [REGION]}]}]),
    "door.srt": "1\n00:00:01,000 --> 00:00:02,000\na\n\n2\n00:00:03,000 --> 00:00:04,000\nb\n",
    "door.eaf": f"<ANNOTATION_DOCUMENT><TIME_ORDER>{SLOT.format('s', 10)}{SLOT.format('e', 900)}</TIME_ORDER>"
    '<TIER TIER_ID="t"><ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a" TIME_SLOT_REF1="s" TIME_SLOT_REF2="e">'
    "<ANNOTATION_VALUE>x</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER></ANNOTATION_DOCUMENT>",
}
SPLICED = [
    b"",
    b"\0",
    b"\xff",
    b'"',
    b"[",
    b"]}",
    b",",
    b"null",
    b"-1",
    b"1e999",
    b"NaN",
    b"\n",
    b"\xe2\x80\xa8",
    b"{}",
    b"<",
    b"true",
]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@pytest.mark.parametrize("name", WHOLE)
@given(data=st.data())
def test_damage_anywhere(tmp_path, clips, name, data):
    content = WHOLE[name].encode()
    for _ in range(data.draw(st.integers(1, 3))):
        at, length = data.draw(st.integers(0, len(content))), data.draw(st.integers(0, 12))
        content = content[:at] + data.draw(st.sampled_from(SPLICED)) + content[at + length :]
    (tmp_path / name).write_bytes(content)
    said = importing.ImportSettings((tmp_path / name,), clips, rate=Rate(10))
    info = probe(clips / "door.mp4")
    try:
        (taken,) = importing.take(said)
        assert taken.records and taken.columns is not None
        placed = [(record, taken.columns, "door.mp4") for record in taken.records if isinstance(record, Record)]
        done = importing.converted(placed, {"door.mp4": info}, taken.refused, said)
    except UserError as error:
        assert "\n" not in str(error)
        return
    assert done.rows or done.refused
    assert all("\n" not in str(refused) for refused in done.refused)
    for row in done.rows:
        assert all(0 <= span.start_s <= span.end_s <= 20.5 for span in row.spans)
