"""The scores that are told of the bundled model are those that the commands beside them give."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from timeground.cli.main import main

PAGE = (Path(__file__).parents[2] / "docs" / "bundled.md").read_text(encoding="utf-8")
TOLERANCE = 3.5  # percent: an answer may fall otherwise on another processor, and there are 32 questions


@pytest.mark.long
def test_the_page_tells_what_the_commands_give(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^timeground ((?:synth data|eval --model tiny).*)$", PAGE, re.M)
    assert len(commands) == 2
    for command in commands:
        assert main(command.split()) == 0
    results = json.loads((tmp_path / "runs" / "tiny" / "results.json").read_text())
    told = re.findall(r"^\| `(synth[\w-]*)` \| ([\w@. ]+) \| ([\d.]+) \|", PAGE, re.M)
    assert len(told) >= 3
    for task, metric, value in told:
        found = results["tasks"][task]["strict"][metric]
        assert abs(found - float(value)) <= TOLERANCE, (task, metric, found)
