"""Memory of a trainer and of the vLLM server that it samples on, over 200 steps of GRPO.

    python -m benchmarks.rollout_memory --python vllm/bin/python --picture docs/rollout_memory.png

The recipe is `tiny-grpo` on clips of one length, so that a step wants what the one before it wanted. Resident memory of
each side's processes is read twice a second. `growth_mb` compares the median of the last quarter of the steps with that
of the second: the first fills caches. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from rich.progress import Progress

from benchmarks.common import cache_folder, machine, memory_mb, versions
from benchmarks.rollout import serving

RECIPE = [
    "model.init=tiny", "videos_per_micro_batch=1", "micro_batches=2", "save_every=100000", "validate_every=0",
    "sampling.group_size=8", "data.questions_per_video=2",
    "data.synth_stages=[{durations_s: [[12, 12]], kind_weights: {single: 1.0}}]",
]  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """Memory after so many steps."""

    step: int
    trainer_mb: float
    server_mb: float


def train(url: str, server_pid: int, steps: int, output: Path) -> list[Reading]:
    """Run the recipe, and read both sides' memory meanwhile."""
    words = ["train", "grpo", "tiny-grpo", f"output={output}", f"steps={steps}", *RECIPE]
    words += ["rollout.engine=vllm", f"rollout.url={url}"]
    with (output.parent / "trainer.log").open("w") as log:
        trainer = subprocess.Popen([sys.executable, "-m", "timeground", *words], stdout=log, stderr=log)
    readings: list[Reading] = []
    with Progress() as progress:
        bar = progress.add_task("steps", total=steps)
        while trainer.poll() is None:
            time.sleep(0.5)
            progress.update(bar, completed=(step := _steps(output)))
            if step and (trainer_mb := sum(memory_mb(trainer.pid))):  # none any more once it has ended
                readings.append(Reading(step, trainer_mb, sum(memory_mb(server_pid))))
    if trainer.returncode:
        raise SystemExit(f"the run failed: {(output.parent / 'trainer.log').read_text()[-1000:]}")
    return readings


def _steps(output: Path) -> int:
    file = output / "timings.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


def growth_mb(readings: list[Reading], side: str, steps: int) -> float:
    """By how much the last quarter of the steps wants more than the second."""
    quarters: list[list[float]] = [[], [], [], []]
    for reading in readings:
        quarters[min(3, 4 * reading.step // (steps + 1))].append(getattr(reading, side))
    return round(statistics.median(quarters[3]) - statistics.median(quarters[1]), 1)


def draw(path: Path, readings: list[Reading]) -> None:
    """Memory against steps."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots()
    for side in ("server", "trainer"):
        axes.plot([r.step for r in readings], [getattr(r, f"{side}_mb") for r in readings], label=side)
    axes.set(xlabel="steps", ylabel="MB", ylim=0, title="Resident memory")
    axes.legend()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Start the server, train, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", help="Python of vLLM's environment (default: $TIMEGROUND_VLLM)")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--picture", type=Path, help="write memory against steps as a PNG")
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    output = cache_folder() / f"rollout-memory-{os.getpid()}" / "run"
    output.parent.mkdir()
    with serving("tiny", args.python, output.parent / "server.log") as url:
        (server,) = psutil.Process().children()
        readings = train(url, server.pid, args.steps, output)
    if args.picture:
        draw(args.picture, readings)
    result = {
        "benchmark": "rollout_memory",
        "steps": args.steps,
        "growth_mb": {side: growth_mb(readings, f"{side}_mb", args.steps) for side in ("trainer", "server")},
        "last": asdict(readings[-1]),
        "versions": versions("torch", "transformers"),
        "machine": machine(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
