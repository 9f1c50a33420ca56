"""GRPO runs as users start them: resume, several processes, ZeRO, bad input."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch

from tests.support.runs import TOY, environment, lines
from tests.support.runs import grpo_command as command
from tests.support.runs import run_grpo as run
from timeground.cli.main import main


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("grpo") / "whole"
    done = run(output, "plateau={patience: 50}")
    assert done.returncode == 0, done.stderr
    return output


@pytest.mark.long
def test_a_killed_run_ends_as_an_undisturbed_one(undisturbed, tmp_path):
    """SIGKILL after two steps, then the same command: same metrics, samples and weights, bit for bit."""
    output = tmp_path / "killed"
    process = subprocess.Popen(
        command(output, "plateau={patience: 50}"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True, env=environment(),
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not (output / "checkpoints" / "step-00000002").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (output / "model").exists()
    done = run(output, "plateau={patience: 50}")
    assert done.returncode == 0, done.stderr
    for name in ("metrics.jsonl", "samples.jsonl", "model/model.safetensors"):
        assert (output / name).read_bytes() == (undisturbed / name).read_bytes(), name


def test_what_a_run_leaves(undisturbed):
    metrics = lines(undisturbed)
    assert [m["step"] for m in metrics] == [1, 2, 3, 4, 5, 6]
    named = {"reward", "reward_spread", "silent_groups", "iou", "parsed", "entropy", "clipped", "loss", "reward/tiou"}
    assert named < set(metrics[0]) and f"reward/{TOY}" in metrics[0]
    assert {"waited_for_data_s", "encode_s", "rollout_s", "reward_s", "update_s", "peak_memory_mb"} < set(
        lines(undisturbed, "timings")[0]
    )
    sample = lines(undisturbed, "samples")[0]
    assert len(sample["answers"]) == len(sample["rewards"]) == 4
    assert (undisturbed / "curves.png").stat().st_size > 1000
    from timeground.methods.grounder import Grounder

    Grounder(str(undisturbed / "model"))


@pytest.mark.long
@pytest.mark.parametrize(
    "engine",
    [
        ["engine.zero_stage=1"],
        ["engine.zero_stage=2"],
        ["engine.zero_stage=3"],
        ["engine.zero_stage=3", "engine.offload_parameters=true", "engine.offload_optimizer=true"],
    ],
    ids=["1", "2", "3", "3-offloaded"],
)
def test_zero_stages_in_two_processes(engine, tmp_path):
    """Two ranks with answers of unequal length, and a divergence term whose reference is sharded too."""
    output = tmp_path / "two"
    changes = (*engine, "steps=2", "loss.kl=0.04", "updates_per_rollout=2", "validate_every=2", "validate_videos=2")
    done = run(output, *changes, processes=2)
    assert done.returncode == 0, done.stderr
    metrics = lines(output)
    assert metrics[0]["kl"] >= 0 and metrics[-1]["validation_queries"] > 0
    from transformers import AutoModelForImageTextToText

    AutoModelForImageTextToText.from_pretrained(output / "model")


def rows_of(folder: Path) -> list[str]:
    return ["data.synth_seed=null", f"data.rows={folder / 'annotations.jsonl'}", f"data.videos={folder}"]


@pytest.mark.long
@pytest.mark.parametrize("more", [[], ["rollout.keep_prefix=true", "engine.zero_stage=2"]], ids=["plain", "kept"])
def test_two_processes_give_what_one_gives(more, synth_folder, tmp_path):
    """The same clips, dealt out to two processes, lead to the same update: the loss is divided by the whole step."""
    one, two = tmp_path / "one", tmp_path / "two"
    for output, changes, processes in ((one, ["micro_batches=2"], 1), (two, ["micro_batches=1", *more], 2)):
        done = run(output, *rows_of(synth_folder), "steps=2", "loss.scale=batch", *changes, processes=processes)
        assert done.returncode == 0, done.stderr
    for a, b, rel in zip(lines(one), lines(two), (1e-4, 1e-3), strict=True):  # a step makes more of rounding
        assert a["reward"] == pytest.approx(b["reward"], abs=1e-6)
        assert a["grad_norm"] == pytest.approx(b["grad_norm"], rel=rel)


@pytest.mark.parametrize(
    "changes",
    [
        ["model.lora={rank: 4}", "loss.kl=0.04", "model.frozen=vision"],
        ["contrasts=[reversed_groups]", "rewards=[time_aware_iou, direction]"],
        ["contrasts=[reversed]", "rewards=[time_aware_iou, direction]", "loss.difficulty_tau=2.0"],
        ["contrasts=[{name: shuffled, answers: 2}]", "rewards=[tiou, shuffle_bonus]", "resample=1"],
        ["model.profile.text_first=true", "model.profile.time_encoding=native", "loss.ratio=sequence"],
        ["model.frozen=none", "engine.precision=autocast", "model.gradient_checkpointing=true"],
        ["model.frozen=vision", "engine.precision=bfloat16"],
        ["rollout.keep_prefix=true", "model.frozen=none", "engine.precision=autocast", "contrasts=[reversed]"],
    ],
    ids=["lora", "reversed-groups", "reversed", "shuffled", "text-first", "autocast", "bfloat16", "kept"],
)
def test_ways_to_train(changes, tmp_path):
    """In this process: starting another takes longer than two steps."""
    assert main(command(tmp_path / "run", "steps=2", *changes)[3:]) == 0
    assert len(lines(tmp_path / "run")) == 2
    if "lora" in changes[0]:
        from safetensors import safe_open

        with safe_open(tmp_path / "run" / "model" / "model.safetensors", "pt") as file:
            assert not any("lora" in name for name in file.keys())  # noqa: SIM118


@pytest.mark.long
def test_rows_of_files_with_rounds_and_bad_videos(synth_folder, tmp_path):
    """A broken video is replaced and listed; a second round trains on the rows that are half mastered."""
    shutil.copytree(synth_folder, tmp_path / "data")
    broken = sorted((tmp_path / "data" / "videos").iterdir())[0]
    broken.write_bytes(b"no video at all")
    data = [*rows_of(tmp_path / "data"), "data.snap=outward"]
    output = tmp_path / "run"
    done = run(output, *data, "steps=3", "refilter={every: 2, low: -1.0, high: 0.9, max_rows: 3}", processes=2)
    assert done.returncode == 0, done.stderr
    listed = [json.loads(x) for x in (output / "rejected.jsonl").read_text().splitlines()]
    assert {line["video"] for line in listed} == {f"videos/{broken.name}"}
    assert len({line["id"] for line in listed}) == len(listed) > 1
    kept = json.loads((output / "rounds" / "round-1.json").read_text())["kept"]
    assert len(kept) == 3
    refused = run(tmp_path / "none", *data, "steps=3", "refilter={every: 2, low: 0.99}")
    assert refused.returncode == 2 and "no row has" in refused.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["rewards=[nonsense]"], "unknown reward"),
        (["rewards=[direction]"], "list one of reversed, reversed_groups in contrasts"),
        (["contrasts=[mirrored]"], "there are reversed, reversed_groups, shuffled"),
        (["contrasts=[{name: reversed, answers: 2}]"], "answered greedily"),
        (["contrasts=[{name: reversed_groups, answers: 2}]"], "answered by a group"),
        (["contrasts=[shuffled, shuffled]"], "listed twice"),
        (["rewards=[{name: tiou, wieght: 2}]"], "unknown key rewards.0"),
        (["sampling.group=3"], "unknown key sampling.group"),
        (["sampling.top_p=0.9"], "top_p: tokens would be drawn from another distribution"),
        (["sampling.repetition_penalty=1.1"], "repetition_penalty: tokens would be drawn"),
        (["data.synth_seed=null", "data.rows=/none.jsonl"], "none.jsonl"),
        (["refilter={every: 10}"], "refilter needs data.rows"),
        (["model.lora={rank: 4}", "model.frozen=none"], "frozen"),
        (["model.lora={rank: 4}", "loss.kl=0.1"], "set model.frozen to vision"),
        (["rollout.keep_prefix=true", "updates_per_rollout=2"], "does not go with updates_per_rollout above 1"),
        (["tracker=wandb"], "wandb"),
    ],
)
def test_mistakes_are_one_line_and_status_2(changes, words, tmp_path, capsys):
    assert main(command(tmp_path / "x", *changes)[3:]) == 2
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_not_a_number_stops_the_run(tmp_path):
    done = run(tmp_path / "x", "rewards=['tests.support.toy_rewards:not_a_number']")
    assert done.returncode == 2
    assert "not_a_number" in done.stderr.splitlines()[-1] and "nan" in done.stderr.splitlines()[-1]


def test_weights_that_are_not_numbers_name_step_and_row(tmp_path):
    done = run(tmp_path / "x", "optimizer.lr=1e18", "optimizer.max_grad_norm=0", "steps=6")
    assert done.returncode == 2
    assert "step" in done.stderr.splitlines()[-1] and "rows" in done.stderr.splitlines()[-1], done.stderr
    assert torch.isfinite(torch.tensor(lines(tmp_path / "x")[0]["loss"]))
