"""An update is one update, however its clips are split into micro-batches and over processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.support.runs import ROOT, TINY, alone

WAYS = {
    "batch": (1, ["videos_per_micro_batch=2", "micro_batches=1"]),
    "accumulated": (1, ["videos_per_micro_batch=1", "micro_batches=2"]),
    "processes": (2, ["videos_per_micro_batch=1", "micro_batches=1"]),
    "zero": (2, ["videos_per_micro_batch=1", "micro_batches=1", "engine.zero_stage=2"]),
}
Update = tuple[dict[str, float], dict[str, dict[str, torch.Tensor]]]


@pytest.fixture(scope="module")
def updates(synth_folder, tmp_path_factory) -> dict[str, Update]:
    data = ["data.synth_seed=null", f"data.rows={synth_folder / 'annotations.jsonl'}", f"data.videos={synth_folder}"]
    found = {}
    for name, (processes, changes) in WAYS.items():
        folder = tmp_path_factory.mktemp(name)
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
        words = ["-m", "tests.support.one_update", str(folder), *TINY, *data, "optimizer.name=adamw", *changes]
        words += ["data.num_workers=0", "data.questions_per_video=2"]
        done = subprocess.run(
            [sys.executable, *(launcher if processes > 1 else []), *words],
            capture_output=True, text=True, timeout=240, env={**alone(), "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        losses = json.loads((Path(folder) / "losses.json").read_text())
        found[name] = losses, torch.load(folder / "gradients.pt", weights_only=True)
    return found


@pytest.mark.long
@pytest.mark.parametrize("way", ["accumulated", "processes", "zero"])
@pytest.mark.parametrize("reduction", ["token", "sequence", "square"])
def test_a_batch_of_two_is_two_accumulated_is_two_processes(updates, way, reduction):
    (expected, gradients), (losses, found) = updates["batch"], updates[way]
    assert losses[reduction] == pytest.approx(expected[reduction], abs=1e-6)
    for name, gradient in gradients[reduction].items():
        assert (found[reduction][name] - gradient).abs().max() <= 1e-6, name


@pytest.mark.long
def test_the_reductions_differ(updates):
    losses, _ = updates["batch"]
    assert len({round(loss, 4) for loss in losses.values()}) == 3
