"""Phases: one run of several kinds, that a kill at any point does not change."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from timeground.train.config import load_any_recipe
from timeground.train.config.recipe import Recipe

from tests.support.runs import alone, done, lines
from timeground.cli.main import main
from timeground.errors import UserError

SHARED = {
    "seed": 0,
    "videos_per_micro_batch": 1,
    "save_every": 2,
    "model": {"init": "tiny", "frozen": "tower"},
    "data": {"questions_per_video": 2, "num_workers": 0, "synth_seed": 3, "synth_stages": [{"durations_s": [[2, 4]]}]},
    "optimizer": {"lr": 1e-4},
}
SFT = {"kind": "sft", "steps": 3}
RL = {
    "kind": "grpo",
    "name": "rl",
    "steps": 3,
    "rewards": ["tiou"],
    "sampling": {"group_size": 2, "max_new_tokens": 8, "temperature": 1.5},
}


def recipe(folder: Path, *phases: dict, **changes) -> Path:
    file = folder / "two.yaml"
    file.write_text(yaml.safe_dump({"output": str(folder / "run"), **SHARED, **changes, "phases": list(phases)}))
    return file


def command(file: Path, output: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "timeground", "train", "run", str(file), f"output={output}", *more]


def run(file: Path, output: Path, *more: str) -> None:
    ended = done(command(file, output, *more))
    assert ended.returncode == 0, ended.stderr[-3000:]


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    return recipe(tmp_path_factory.mktemp("phases"), SFT, RL)


@pytest.fixture(scope="module")
def undisturbed(file) -> Path:
    run(file, file.parent / "whole")
    return file.parent / "whole"


def same(output: Path, undisturbed: Path) -> None:
    for name in ("metrics.jsonl", "samples.jsonl", "model/model.safetensors"):
        assert (output / name).read_bytes() == (undisturbed / name).read_bytes(), name


def test_phases_are_one_run(undisturbed):
    found = lines(undisturbed)
    assert [(line["step"], line["phase"]) for line in found] == [
        *((step, "1-sft") for step in (1, 2, 3)),
        *((step, "rl") for step in (4, 5, 6)),
    ]
    assert "reward" not in found[0] and "reward" in found[-1]
    assert (undisturbed / "curves.png").exists()
    assert not (undisturbed / "phases" / "rl" / "model").exists()


def test_a_phase_is_a_run_that_starts_from_the_weights_before(undisturbed, file, tmp_path):
    """The second phase's numbers are those of a run of its own on what the first left."""
    tree = yaml.safe_load(file.read_text())
    alone_tree = {**SHARED, **RL, "output": str(tmp_path / "rl")}
    del alone_tree["name"]
    alone_tree["model"] = {**SHARED["model"], "init": str(undisturbed / "phases" / "1-sft" / "model")}
    (tmp_path / "rl.yaml").write_text(yaml.safe_dump(alone_tree))
    assert tree["phases"][1]["name"] == "rl"
    run(tmp_path / "rl.yaml", tmp_path / "rl")
    own = [{k: v for k, v in line.items() if k not in ("step", "phase")} for line in lines(undisturbed)[3:]]
    assert own == [{k: v for k, v in line.items() if k != "step"} for line in lines(tmp_path / "rl")]
    weights = [folder / "model" / "model.safetensors" for folder in (undisturbed, tmp_path / "rl")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def killed_when(there: Path, file: Path, output: Path) -> None:
    process = subprocess.Popen(
        command(file, output), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, env=alone()
    )
    deadline = time.monotonic() + 200
    while not there.exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.long
@pytest.mark.parametrize(
    "there", ["checkpoints/step-00000002", "checkpoints/step-00000003", "phases/1-sft/done.json", "step-00000006"]
)
def test_a_run_killed_in_any_phase_ends_as_an_undisturbed_one(there, file, undisturbed, tmp_path):
    output = tmp_path / "killed"
    killed_when(output / there if "/" in there else output / "checkpoints" / there, file, output)
    run(file, output)
    same(output, undisturbed)


@pytest.mark.long
@pytest.mark.parametrize("stage", [2, 3])
def test_phases_in_two_processes_under_zero(stage, file, tmp_path):
    """Engine after engine in the same processes; the weights that go over are whole."""
    changes = [f"engine.zero_stage={stage}", "phases.0.steps=1", "phases.1.steps=1", "--processes", "2"]
    run(file, tmp_path / "run", *changes)
    assert [line["phase"] for line in lines(tmp_path / "run")] == ["1-sft", "rl"]


@pytest.mark.long
@pytest.mark.parametrize("left", ["nothing", "weights", "mark"])
def test_a_run_stopped_between_two_phases_goes_on(left, file, undisturbed, tmp_path):
    """Checkpoint of the last step of the first phase; its weights for the next one are there, or not, or marked."""
    output = tmp_path / "between"
    shutil.copytree(undisturbed, output)
    shutil.rmtree(output / "model")
    for name in ("metrics", "samples", "timings"):
        kept = [
            line for line in (output / f"{name}.jsonl").read_text().splitlines(True) if json.loads(line)["step"] < 4
        ]
        (output / f"{name}.jsonl").write_text("".join(kept))
    shutil.rmtree(output / "checkpoints")
    if left != "mark":  # without its mark the phase goes on from its own newest checkpoint; here it has none
        (output / "phases" / "1-sft" / "done.json").unlink()
    if left == "nothing":
        shutil.rmtree(output / "phases" / "1-sft" / "model")
    run(file, output)
    same(output, undisturbed)


@pytest.mark.long
def test_going_back_to_a_phase_that_is_over(file, tmp_path):
    output = tmp_path / "back"
    run(file, output, "keep_last=9")
    whole = {name: (output / name).read_bytes() for name in ("metrics.jsonl", "model/model.safetensors")}
    run(file, output, "keep_last=9", "--resume-from", "2")
    assert {name: (output / name).read_bytes() for name in whole} == whole


def test_a_phase_is_added_to_a_run_that_is_over(file, undisturbed, tmp_path):
    output = tmp_path / "more"
    shutil.copytree(undisturbed, output)
    longer = recipe(tmp_path, SFT, RL, {**SFT, "name": "last", "steps": 1})
    run(longer, output)
    assert [line["phase"] for line in lines(output)] == ["1-sft"] * 3 + ["rl"] * 3 + ["last"]
    assert (output / "metrics.jsonl").read_bytes().startswith((undisturbed / "metrics.jsonl").read_bytes())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("phases.0.optimizer.lr=0.5", "phases.0.optimizer.lr is 0.0001 there and 0.5 here"),
        ("phases.0.steps=9", "phases.0.steps is 3 there and 9 here"),
        ("phases.1.rewards=[set_iou]", "phases.1.rewards.0.name is 'tiou' there and 'set_iou' here"),
    ],
)
def test_a_changed_recipe_is_refused_with_both_values(change, words, file, undisturbed, capsys):
    assert main(command(file, undisturbed, change)[3:]) == 2
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_a_run_begins_behind_a_phase_that_ran_elsewhere(file, undisturbed, tmp_path):
    """From the model that it left the rest of the run is the same, and is the same run when the command comes again."""
    left = undisturbed / "phases" / "1-sft" / "model"
    shutil.copytree(left, tmp_path / "left")
    run(file, tmp_path / "run", "--after", f"1-sft={tmp_path / 'left'}")
    run(file, tmp_path / "run", "--after", f"1-sft={tmp_path / 'left'}")
    expected = [line for line in lines(undisturbed) if line["phase"] == "rl"]
    assert lines(tmp_path / "run") == expected
    weights = "model/model.safetensors"
    assert (tmp_path / "run" / weights).read_bytes() == (undisturbed / weights).read_bytes()
    for words, reason in (
        (f"rl={left}", "phases before the last are 1-sft"),
        ("1-sft", "PHASE=FOLDER"),
        ("1-sft=/nowhere", "no such model folder"),
        ("1-sft=tiny", "left another model"),
    ):
        refused = done(command(file, tmp_path / "run", "--after", words))
        assert refused.returncode == 2 and reason in refused.stderr and "Traceback" not in refused.stderr


def test_export_writes_the_model_again(undisturbed, tmp_path):
    shutil.copytree(undisturbed, tmp_path / "run")
    weights = (tmp_path / "run" / "model" / "model.safetensors").read_bytes()
    shutil.rmtree(tmp_path / "run" / "model")
    assert main(["train", "export", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / "model" / "model.safetensors").read_bytes() == weights


def test_all_phases_are_planned(file, capsys):
    assert main(["train", "check", str(file), "--json"]) == 0
    plans = json.loads(capsys.readouterr().out)["phases"]
    assert [(plan["phase"], plan["kind"]) for plan in plans] == [("1-sft", "sft"), ("rl", "grpo")]
    assert [plan["step"]["answers"] for plan in plans] == [2, 4]


@pytest.mark.parametrize(
    ("phases", "changes", "words"),
    [
        ([SFT, {**RL, "kind": "dpo"}], {}, "phases.1: kind 'dpo' is none of sft, grpo"),
        ([SFT, {"steps": 3}], {}, "phases.1: say the kind of this phase"),
        ([SFT, {"kind": "grpo"}], {}, "phases.1: a phase without settings of its own"),
        ([SFT, None], {}, "phases.1: a phase without settings of its own"),
        ([], {}, "phases: list at least one"),
        ([SFT], {"kind": "sft"}, "kind and phases contradict each other"),
        ([SFT, {**RL, "output": "x"}], {}, "phases.1.output: all phases share it"),
        ([SFT, {**RL, "model": {"init": "tiny"}}], {}, "phases.1.model.init: all phases share it"),
        ([SFT, {**RL, "name": "1-sft"}], {}, "phases.1.name '1-sft'"),
        ([SFT, {**RL, "name": "../x"}], {}, "phases.1.name '../x'"),
        ([{**SFT, "stepz": 1}, RL], {}, "unknown key phases.0.stepz"),
        ([SFT, RL], {"stepz": 1}, "unknown key stepz"),
        ([SFT], {"rewards": ["tiou"]}, "unknown key rewards"),
    ],
)
def test_mistakes_are_one_line(phases, changes, words, tmp_path):
    with pytest.raises(UserError) as error:
        load_any_recipe(str(recipe(tmp_path, *phases, **changes)))
    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_shared_setting_reaches_the_phases_that_know_it_and_is_changed_by_name(tmp_path):
    file = recipe(tmp_path, SFT, RL, loss_reduction="square", sampling={"group_size": 5, "max_new_tokens": 4})
    found = load_any_recipe(str(file), ["phases.0.optimizer.lr=0.5"])
    first, second = (phase.settings for phase in found.phases)
    assert (first.loss_reduction, first.optimizer.lr, second.optimizer.lr) == ("square", 0.5, 1e-4)
    assert (second.sampling.group_size, second.sampling.max_new_tokens) == (2, 8)
    assert [phase.first_step for phase in found.phases] == [0, 3]


def test_the_recipe_of_the_guide_is_one(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "mine.yaml").write_text(text)
    found = load_any_recipe(str(tmp_path / "mine.yaml"), ["phases.1.optimizer.lr=1e-6"])
    assert [phase.name for phase in found.phases] == ["1-sft", "hard"]
    assert [phase.settings.data.rows for phase in found.phases] == ["rows.jsonl", "hard.jsonl"]


def test_resolved_settings_are_a_recipe(tmp_path):
    found = load_any_recipe(str(recipe(tmp_path, SFT, RL)))
    (tmp_path / "again.yaml").write_text(found.to_yaml())
    assert isinstance(found, Recipe) and load_any_recipe(str(tmp_path / "again.yaml")) == found


@pytest.mark.parametrize("kind", ["sft", "grpo"])
def test_the_kind_of_a_command_is_the_recipes(kind, file, capsys):
    other = "tiny-grpo" if kind == "sft" else "tiny-sft"
    assert main(["train", kind, other]) == 2
    assert f"its kind is {other.removeprefix('tiny-')}" in capsys.readouterr().err
    assert main(["train", kind, str(file)]) == 2
    assert "it has phases; start it with timeground train run" in capsys.readouterr().err
