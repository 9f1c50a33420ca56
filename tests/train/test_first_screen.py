"""What a run says first, what last, and again; rewards from the working folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from timeground.train.finished import FINISHED, finished, note_finished

from tests.support.runs import command, run
from timeground.cli.main import main

STEPS = ["steps=2", "save_every=2", "data.num_workers=0"]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, str]:
    """A run of two steps, and what it said."""
    output = tmp_path_factory.mktemp("screen") / "run"
    done = run(output, *STEPS)
    assert done.returncode == 0, done.stderr
    return output, done.stdout


def test_the_first_screen_is_short_and_the_last_line_tries_the_model(made):
    output, said = made
    first, _, rest = said.partition("memory ")
    assert first.count("\n") < 15 and "micro_batches:" not in said
    for word in ("model    new, qwen3_vl (all weights", "rows     rendered", "steps    2 of ", f"writes   {output}:"):
        assert word in first, first
    assert "parameters are trained" in rest and "MB for weights" in rest
    assert said.strip().splitlines()[-1].endswith(f"timeground ground VIDEO 'query' --model {output / 'model'}")
    assert yaml.safe_load((output / "settings.yaml").read_text())["steps"] == 2


def test_the_same_again_is_finished_at_once_without_loading_a_library(made):
    output, _ = made
    words = command(output, *STEPS)[3:]
    script = f"import sys; from timeground.cli.main import main; main({words!r}); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    line, loaded = done.stdout.splitlines()
    assert loaded == "False" and line.startswith(f"{output}: finished, 2 steps") and "timeground ground" in line


def test_only_the_same_is_finished(made, capsys):
    output, _ = made
    words = [f"output={output}", *command(output, *STEPS)[8:]]
    assert finished("tiny-sft", words) is not None
    assert finished("tiny-sft", [*words, "steps=3"]) is None
    assert finished("tiny-grpo", words) is None
    (output / FINISHED).write_text(json.dumps({"recipe": "another", "steps": 2}))
    assert finished("tiny-sft", words) is None


def test_rows_of_another_content_are_another_run(tmp_path):
    rows, output = tmp_path / "rows.jsonl", tmp_path / "run"
    rows.write_text('{"id": "a"}\n')
    (output / "model").mkdir(parents=True)
    (output / "model" / "config.json").write_text("{}")
    words = [f"output={output}", "data.synth_seed=null", f"data.rows={rows}"]
    note_finished("tiny-sft", words, output, 2)
    assert finished("tiny-sft", words) is not None
    rows.write_text('{"id": "b"}\n')
    assert finished("tiny-sft", words) is None


def test_settings_are_printed_if_wanted_and_nothing_begins(tmp_path, capsys):
    assert main(command(tmp_path / "run", *STEPS, "--print-settings")[3:]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["steps"] == 2 and not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["my_reward:fast", "my_reward.py:fast"])
def test_a_reward_in_the_working_folder_is_found(tmp_path, name):
    (tmp_path / "my_reward.py").write_text("def fast(trajectory, row) -> float:\n    return 1.0\n")
    code = (
        "import sys; sys.path = [p for p in sys.path if p]\n"  # as the installed command starts
        f"from timeground.train.rewards.registry import load_reward; print(type(load_reward({name!r})).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=os.environ)
    assert done.stdout.strip() == "Reward", done.stderr
