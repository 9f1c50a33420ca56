"""Small training runs, as users start them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from timeground.train.config import GrpoSettings

from timeground.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
TINY = [
    "steps=24", "videos_per_micro_batch=1", "save_every=4", "validate_every=0", "engine.precision=float32",
    "model.fresh.hidden_size=64", "model.fresh.num_layers=2", "model.fresh.num_heads=1",
    "model.fresh.num_key_value_heads=1", "model.fresh.intermediate_size=64", "model.fresh.vision_hidden_size=64",
    "model.fresh.vision_layers=2", "model.fresh.vision_intermediate_size=64", "model.fresh.vocab_size=400",
    "data.synth_stages=[{durations_s: [[8, 9]]}]", "data.questions_per_video=3", "optimizer.warmup_steps=2",
]  # fmt: skip


TOY = "tests.support.toy_rewards:variety"
SMALL = [
    "steps=6", "videos_per_micro_batch=1", "micro_batches=2", "save_every=2", "validate_every=0",
    "model.init=null", "model.frozen=tower", "sampling.group_size=4", "sampling.max_new_tokens=6",
    "model.fresh={hidden_size: 64, num_layers: 2, num_heads: 1, num_key_value_heads: 1, intermediate_size: 64,"
    " vision_hidden_size: 64, vision_layers: 2, vision_intermediate_size: 64, vocab_size: 400}",
    "model.profile={prompt: short, time_encoding: native, min_tokens_per_pair: 4, max_tokens_per_pair: 4,"
    " total_tokens: 480, max_new_tokens: 6}",
    "data.synth_stages=[{durations_s: [[2, 4]], kind_weights: {single: 1.0}}]", "data.questions_per_video=2",
    f"rewards=[{{name: '{TOY}', weight: 2.0}}, tiou]", "optimizer.lr=1e-3",
]  # fmt: skip


def command(output: Path, *overrides: str, processes: int = 1) -> list[str]:
    base = [sys.executable, "-m", "timeground", "train", "sft", "tiny-sft", "--processes", str(processes)]
    return [*base, f"output={output}", *TINY, *overrides]


def alone() -> dict[str, str]:
    """The environment of a run of its own: runs in this process leave theirs in ours."""
    launcher = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
    return {**{k: v for k, v in os.environ.items() if k not in launcher}, "OMP_NUM_THREADS": "1"}


def grpo_command(output: Path, *overrides: str, processes: int = 1) -> list[str]:
    base = [sys.executable, "-m", "timeground", "train", "grpo", "tiny-grpo", "--processes", str(processes)]
    return [*base, f"output={output}", *SMALL, *overrides]


def environment() -> dict[str, str]:
    return {**alone(), "PYTHONPATH": str(ROOT)}


def run(output: Path, *overrides: str, processes: int = 1) -> subprocess.CompletedProcess[str]:
    return done(command(output, *overrides, processes=processes), processes)


def run_grpo(output: Path, *overrides: str, processes: int = 1) -> subprocess.CompletedProcess[str]:
    return done(grpo_command(output, *overrides, processes=processes), processes)


def done(words: list[str], processes: int = 1) -> subprocess.CompletedProcess[str]:
    """A command to its end: in this process if one is enough, for starting another takes longer than a small run."""
    if processes > 1:
        return subprocess.run(words, capture_output=True, text=True, timeout=300, env=environment())
    told = io.StringIO(), io.StringIO()
    with redirect_stdout(told[0]), redirect_stderr(told[1]):
        status = main(words[3:])
    return subprocess.CompletedProcess(words, status, told[0].getvalue(), told[1].getvalue())


def lines(output: Path, name: str = "metrics") -> list[dict]:
    return [json.loads(line) for line in (output / f"{name}.jsonl").read_text().splitlines()]


def grpo_settings(**changes) -> GrpoSettings:
    base = {"output": "unused", "steps": 1, "rewards": ["tiou"], "model": {"init": "tiny", "frozen": "tower"}}
    return GrpoSettings.model_validate(base | {"data": {"synth_seed": 0}} | changes)
