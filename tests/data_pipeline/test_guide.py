"""Every command of docs/data.md runs, in order, as it stands there."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import yaml

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")


def test_the_commands_of_the_guide_run(tmp_path):
    alone = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
    for name, text in re.findall(r"As `([\w.]+)`:\n\n```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        (tmp_path / name).write_text(text, encoding="utf-8")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    commands = "".join(text for kind, text in blocks if not kind).splitlines()
    assert len(commands) == 7
    for command in commands:
        program, *words = shlex.split(command)
        assert program == "timeground"
        done = subprocess.run(
            [sys.executable, "-m", "timeground", *words],
            cwd=tmp_path,
            env=alone | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, f"{command}\n{done.stderr[-2000:]}"
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
