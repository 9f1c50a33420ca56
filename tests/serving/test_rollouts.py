"""GRPO with rollouts on a real vLLM server: the same policy on both sides, whatever happens to the server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.serving.servers import Server
from tests.support.runs import alone
from timeground.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
SMALL = [
    "model.init=tiny", "model.fresh=null", "steps=5", "videos_per_micro_batch=1", "micro_batches=2", "save_every=2",
    "validate_every=0", "sampling.group_size=4", "sampling.max_new_tokens=12", "sampling.temperature=1.5",
    "data.questions_per_video=2", "data.synth_stages=[{durations_s: [[2, 4]], kind_weights: {single: 1.0}}]",
    "engine.precision=float32", "rewards=[{name: 'tests.support.toy_rewards:variety'}, tiou]",
    "optimizer.lr=1e-3", "optimizer.warmup_steps=0",
]  # fmt: skip


def start(
    output: Path, server: Server, *changes: str, module: str = "timeground", processes: int = 1
) -> subprocess.Popen[str]:
    vllm = ["rollout.engine=vllm", f"rollout.url={server.url}"]
    if module == "timeground":
        named = ["timeground", "train", "grpo", "tiny-grpo", "--processes", str(processes), f"output={output}"]
    else:
        named = [module, str(output)]
    return subprocess.Popen(
        [sys.executable, "-m", *named, *SMALL, *vllm, *changes], text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, env={**alone(), "PYTHONPATH": str(ROOT)}, start_new_session=True,
    )  # fmt: skip


def run(output: Path, server: Server, *changes: str, code: int = 0, **more) -> str:
    process = start(output, server, *changes, **more)
    said, _ = process.communicate(timeout=900)
    assert process.returncode == code, said[-3000:]
    return said


def lines(output: Path, name: str = "metrics") -> list[dict]:
    return [json.loads(line) for line in (output / f"{name}.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def undisturbed(server, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("vllm") / "whole"
    run(output, server)
    return output


def same(a: Path, b: Path) -> None:
    """Two runs learnt the same, as far as float32 arithmetic in another order does."""
    for mine, theirs in zip(lines(a), lines(b), strict=True):
        for name in ("reward", "iou", "loss", "grad_norm", "entropy"):
            assert mine[name] == pytest.approx(theirs[name], rel=1e-3, abs=1e-5), (mine["step"], name)
    assert [s["answers"] for s in lines(a, "samples")] == [s["answers"] for s in lines(b, "samples")]


def follows(output: Path, server: Server, *changes: str) -> None:
    """After each of five updates the server's greedy answers are those of the trainer's weights, which do change."""
    run(output, server, *changes, module="tests.serving.train_and_compare")
    compared = lines(output, "compared")
    assert len(compared) == 6
    for step in compared:
        for there, here in step:
            for (ids, logprobs), (local_ids, local_logprobs) in zip(there, here, strict=True):
                assert ids == local_ids and logprobs == pytest.approx(local_logprobs, abs=1e-3)
    assert len({json.dumps([here for _, here in step]) for step in compared}) > 3
    for line in lines(output):
        assert line["logprob_gap"] < 1e-4 and line["logprob_gap_beyond"] == 0 and line["logprob_gap_max"] < 1e-2


@pytest.mark.parametrize("transfer", ["file", "broadcast"])
def test_the_server_follows_the_trainer(server, undisturbed, tmp_path, transfer):
    """It still holds what the run before left there."""
    follows(tmp_path / "run", server, f"rollout.transfer={transfer}")


def test_all_kinds_of_clips_and_two_processes(server, tmp_path):
    """Backward groups, shuffled clips, clips as stamped images; ZeRO-3 on two processes; importance weights."""
    changes = ["engine.zero_stage=3", "steps=2", "micro_batches=1",
               "contrasts=[reversed_groups, {name: shuffled, answers: 2}]", "rollout.truncated_importance_sampling=2.0",
               "updates_per_rollout=2", "data.image_share=0.5"]  # fmt: skip
    run(tmp_path / "run", server, *changes, processes=2)
    for line in lines(tmp_path / "run"):
        assert line["logprob_gap"] < 1e-4 and line["importance_truncated"] == 0
    assert not list(Path(f"/dev/shm/timeground-{os.getuid()}").glob("*"))


@pytest.mark.parametrize("transfer", ["file", "broadcast"])
def test_a_server_that_dies_is_waited_for(server, undisturbed, tmp_path, transfer):
    """SIGKILL in the middle of training, and a new one at the same address: the run ends as the undisturbed one."""
    output = tmp_path / "run"
    process = start(output, server, f"rollout.transfer={transfer}")
    until(lambda: (output / "metrics.jsonl").exists() and len(lines(output)) >= 2, process)
    server.stop(signal.SIGKILL)
    time.sleep(5)
    assert process.poll() is None
    server.start()
    said, _ = process.communicate(timeout=900)
    assert process.returncode == 0, said[-3000:]
    same(output, undisturbed)


def test_a_server_that_hangs_is_asked_again(server, undisturbed, tmp_path):
    """It stands still for longer than a request may take."""
    output = tmp_path / "run"
    process = start(output, server, "rollout.timeout_s=40")
    until(lambda: (output / "metrics.jsonl").exists() and len(lines(output)) >= 2, process)
    assert server.process is not None
    os.killpg(server.process.pid, signal.SIGSTOP)
    time.sleep(60)
    os.killpg(server.process.pid, signal.SIGCONT)
    said, _ = process.communicate(timeout=900)
    assert process.returncode == 0, said[-3000:]
    same(output, undisturbed)


def test_a_server_that_stays_away_ends_the_run_with_a_checkpoint(server, undisturbed, tmp_path):
    output = tmp_path / "run"
    patience = ["rollout.patience_s=6", "save_every=100"]
    process = start(output, server, *patience)
    until(lambda: (output / "metrics.jsonl").exists() and len(lines(output)) >= 2, process)
    server.stop(signal.SIGKILL)
    said, _ = process.communicate(timeout=600)
    server.start()
    assert process.returncode == 2, said[-3000:]
    assert "stayed away for 6 s" in said and "the same command goes on from step" in said
    assert list((output / "checkpoints").glob("step-*"))
    run(output, server, *patience)
    same(output, undisturbed)


def test_mistakes_are_one_line(server, tmp_path, capsys):
    args = ["train", "grpo", "tiny-grpo", f"output={tmp_path / 'x'}", *SMALL, "rollout.engine=vllm"]
    assert main([*args, f"rollout.url={server.url}", "model.profile={time_encoding: interleaved-seconds}"]) == 2
    assert "Qwen3-VL's own stamps" in capsys.readouterr().err.splitlines()[-1]


def until(true, process: subprocess.Popen[str], limit_s: float = 300.0) -> None:
    deadline = time.monotonic() + limit_s
    while not true():
        assert process.poll() is None, process.communicate()[0][-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.05)
