"""The README's scores of the bundled model are those that its commands give."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from timeground.cli.main import main

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
TOLERANCE = 3.5  # percent: an answer may fall otherwise on another processor, and there are 32 questions


@pytest.mark.long
def test_the_readme_tells_what_the_commands_give(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^timeground ((?:synth data|eval --model tiny).*)$", README, re.M)
    assert len(commands) == 2
    for command in commands:
        assert main(command.split()) == 0
    results = json.loads((tmp_path / "runs" / "tiny" / "results.json").read_text())
    told = re.findall(r"^\| `(synth[\w-]*)` \| ([\w@. ]+) \| ([\d.]+) \|", README, re.M)
    assert len(told) >= 3
    for task, metric, value in told:
        found = results["tasks"][task]["strict"][metric]
        assert abs(found - float(value)) <= TOLERANCE, (task, metric, found)
