"""Videos whose rows cover too little."""

from __future__ import annotations

import pytest

from tests.support.pipeline import rejected, summary
from tests.support.scripted_server import scripted
from timeground.data.rows import read_rows


@pytest.mark.parametrize("action", ["keep", "drop", "propose"])
def test_a_badly_covered_video_is_flagged_and_acted_on(ask_server, tmp_path, action):
    """The two rows of each video cover a fraction of it; asked to propose, the model lists two events more."""
    audit = {"stage": "audit", "questions": [], "coverage": {"min_covered": 0.9, "action": action}}
    events = "4.5 - 7.5: a grey box spins\n0.2 - 0.8: a white dot falls"
    with scripted(lambda text: events) as (url, script):
        stages = [audit, {"stage": "propose", "model": "big"}]
        assert ask_server(url, tmp_path / "out", stages) == 0
    rows = list(read_rows(tmp_path / "out" / "rows.jsonl"))
    assert len(summary(tmp_path / "out")["badly_covered_videos"]) == 3
    assert len(rows) == {"keep": 6, "drop": 0, "propose": 12}[action]
    assert len({row.id for row in rows}) == len(rows) and len(script.asked) == (3 if action == "propose" else 0)
    if action == "drop":
        told = {(one["stage"], one["class"], one["reason"][:14]) for one in rejected(tmp_path / "out")}
        assert told == {("audit", "coverage", "the rows cover")}
