"""The benchmarks' own numbers, from the files that they publish."""

from __future__ import annotations

import json

import pytest

from benchmarks import oracles

CHECKS = (oracles.tempcompass_grades, oracles.scored_values, oracles.matched_replies)  # QVHighlights has its own test


@pytest.mark.realdata
def test_every_official_value_is_met(realdata):
    found = [one for check in CHECKS for one in check(realdata)]
    assert {one.what: dict(one.differing) for one in found if one.differing} == {}
    assert len(found) >= 15 and sum(one.num_values for one in found) >= 3286


def test_what_is_not_in_the_folder_is_left_out_and_a_difference_ends_with_status_1(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["oracles", str(tmp_path)])
    assert oracles.main() == 0
    out = capsys.readouterr().out
    assert "mvbench matching" in out and "charades" not in out
    values = json.loads(oracles.VALUES.read_text())
    values["mvbench matching"]["values"]["A"] = True
    changed = tmp_path / "values.json"
    changed.write_text(json.dumps(values))
    monkeypatch.setattr(oracles, "VALUES", changed)
    assert oracles.main() == 1
    assert "A: here False, there True" in capsys.readouterr().out


def test_no_folder_is_said(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["oracles", str(tmp_path / "none")])
    assert oracles.main() == 2 and "is no folder" in capsys.readouterr().err
