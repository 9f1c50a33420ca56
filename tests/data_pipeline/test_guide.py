"""Every command of docs/data.md runs, in order, as it stands there."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from timeground.cli.main import main

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")


@pytest.mark.long
def test_the_commands_of_the_guide_run(tmp_path, monkeypatch):
    """In this process: importing torch seven times would take longer than all that they do."""
    monkeypatch.chdir(tmp_path)
    for name, text in re.findall(r"As `([\w.]+)`:\n\n```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        (tmp_path / name).write_text(text, encoding="utf-8")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    commands = "".join(text for kind, text in blocks if not kind).splitlines()
    assert len(commands) == 7
    for command in commands:
        program, *words = shlex.split(command)
        assert program == "timeground"
        assert main(words) == 0, command
    assert (tmp_path / "out" / "clean" / "report.html").is_file()
    metrics = (tmp_path / "runs" / "samples" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in metrics] == [1, 2]


def test_the_weights_of_the_guide_are_those_that_ship():
    from timeground.data_pipeline.stages.audit import Audit

    (text,) = re.findall(r"^```yaml\n(  - stage: audit\n.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (stage,) = yaml.safe_load(text)
    assert Audit.model_validate(stage) == Audit(model="judge")


def test_the_guide_names_every_stage_recipe_and_option_that_it_may():
    from timeground.data_pipeline.recipe import RECIPES
    from timeground.data_pipeline.stage import STAGES

    table = PAGE.split("## Stages")[1].split("##")[0]
    named = {row[0]: re.findall(r"`(\w+)`", row[1]) for row in re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", table, re.M)}
    assert set(named) == set(STAGES)
    for name, stage in STAGES.items():
        assert set(named[name]) <= set(stage.model_fields)
    recipes = PAGE.split("| recipe that ships |")[1].split("\n\n")[0]
    assert {path.stem for path in RECIPES.glob("*.yaml")} == set(re.findall(r"^\| `([\w-]+)` \|", recipes, re.M))
