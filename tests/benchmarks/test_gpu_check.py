"""The check for one GPU runs on a CPU at tiny sizes, tells what it skipped, and needs little more than torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WITHOUT = """
import runpy, sys
from importlib.machinery import PathFinder
missing = {"pydantic", "peft", "deepspeed", "av", "decord", "gradio", "qwen_vl_utils", "torchcodec", "psutil"}
class Hiding:
    find_distributions = PathFinder.find_distributions
    @staticmethod
    def find_spec(name, path=None, target=None):
        return None if name.partition(".")[0] in missing else PathFinder.find_spec(name, path, target)
sys.meta_path[:] = [Hiding if finder is PathFinder else finder for finder in sys.meta_path]
sys.argv = ["gpu_check", *sys.argv[1:]]
runpy.run_path("benchmarks/gpu_check.py", run_name="__main__")
"""


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT, "--quick", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)


@pytest.mark.long
def test_every_part_runs_and_the_sides_agree(tmp_path):
    """As on a machine that has torch, transformers and this checkout alone."""
    done = run("--out", str(tmp_path / "found.json"))
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads((tmp_path / "found.json").read_text())
    assert told == json.loads(done.stdout.splitlines()[-1])
    (skipped,) = told["skipped"]
    assert skipped.startswith("qwen3.5-9b: prefix-grouped: keys and values alone")
    for shape in ("qwen3-vl-8b", "qwen3.5-9b"):
        apart = told["found"][f"{shape}: packed against full rows"]
        assert apart["logprob_gap_max"] < 1e-4 and apart["gradient_gap"] < 1e-3
        assert told["found"][f"{shape}: the first query's tokens are the same"]
        assert any("broadcast" in name for name in told["found"] if name.startswith(shape))
    assert told["found"]["qwen3-vl-8b: packed against prefix-grouped"]["gradient_gap"] < 1e-3


@pytest.mark.long
def test_what_there_is_no_time_for_is_skipped_and_said():
    done = run("--budget-s", "0")
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["found"] == {} and [line.split(":")[0] for line in told["skipped"]] == ["qwen3-vl-8b", "qwen3.5-9b"]
    assert "about 60 s needed" in told["skipped"][0]
