"""The same GRPO run under each launcher that clusters use gives the same metrics."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.runs import SMALL, environment

BIN = Path(sys.executable).parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


LAUNCHERS = {
    "torchrun": lambda port: ["torchrun", "--nproc_per_node=2", f"--master_port={port}", "-m"],
    "deepspeed": lambda port: ["deepspeed", "--num_gpus=2", f"--master_port={port}", "--module"],
    # on CPUs accelerate starts several processes through MPI only, so it is asked for as on two GPUs
    "accelerate": lambda port: [
        "accelerate", "launch", "--multi_gpu", "--num_processes=2", "--num_machines=1", "--mixed_precision=no",
        "--dynamo_backend=no", f"--main_process_port={port}", "-m",
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def by_our_own(tmp_path_factory) -> str:
    """The metrics of `timeground train grpo --processes 2`."""
    output = tmp_path_factory.mktemp("launch") / "own"
    return metrics([sys.executable, "-m", "timeground", "train", "grpo", "tiny-grpo", "--processes", "2"], output)


def metrics(command: list[str], output: Path) -> str:
    done = subprocess.run(
        [*command, f"output={output}", *SMALL, "steps=2"], capture_output=True, text=True, timeout=300,
        env=environment() | {"DS_ACCELERATOR": "cpu"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(json.loads((output / "model" / "grounding_config.json").read_text())) > 1
    return (output / "metrics.jsonl").read_text()


@pytest.mark.long
@pytest.mark.parametrize("name", LAUNCHERS)
def test_a_run_under_a_launcher_equals_our_own(name, by_our_own, tmp_path):
    first, *rest = LAUNCHERS[name](free_port())
    assert (BIN / first).exists() or shutil.which(first)
    command = [str(BIN / first), *rest, "timeground.train", "grpo", "tiny-grpo"]
    assert metrics(command, tmp_path / "out") == by_our_own


def test_a_launched_process_closes_what_python_has_open_and_ends_at_once():
    """A thread that never ends does not hold it back, as one that a library leaves behind would abort it."""
    lines = [
        "import atexit, threading, time",
        "from timeground.cli.launching import end_process",
        "atexit.register(print, 'closed')",
        "threading.Thread(target=time.sleep, args=(600,)).start()",
        "end_process(3)",
    ]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (3, "closed\n")
