"""The ways of writing time, side by side: TimeLens's table on SynthMoments.

``python -m benchmarks.ablate_time [--seeds 0 1] [--steps N] [--processes 2]``. For each encoding the bundled model is
trained by the recipe `tiny-ablation`, with the same scenes, steps and seeds, and asked about the same validation clips.
It learnt with `native`, so the others also show what going over costs. Runs are kept under `--output` and resume where
they were stopped. Prints a table and one JSON line. An encoding without stamps for Qwen3-VL (`mrope`) is not in it: its
grids carry no time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.common import machine, versions

ENCODINGS = ("native", "interleaved-seconds", "interleaved-index", "listed-seconds", "stamped-images", "drawn")


def train(encoding: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """Train one model, or go on with it, and return its scores on held-out clips."""
    output = args.output / f"{encoding}-{seed}"
    command = [
        sys.executable, "-m", "timeground", "train", "sft", "tiny-ablation", "--processes", str(args.processes),
        f"output={output}", f"seed={seed}", f"model.profile.time_encoding={encoding}", *args.overrides,
    ]  # fmt: skip
    if args.steps:
        command += [f"steps={args.steps}", f"validate_every={args.steps}"]
    subprocess.run(command, check=True)
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return next(line for line in reversed(lines) if "validation_miou" in line)


def main() -> None:
    """Train every encoding with every seed, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encodings", nargs="+", default=ENCODINGS, choices=ENCODINGS, metavar="NAME")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, help="instead of the recipe's own")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("runs/ablate-time"))
    parser.add_argument("overrides", nargs="*", metavar="name=value", help="settings to change in every run")
    args = parser.parse_args()
    table = {}
    for encoding in args.encodings:
        runs = [train(encoding, seed, args) for seed in args.seeds]
        table[encoding] = {
            "miou": [round(run["validation_miou"], 4) for run in runs],
            "r1_0.5": [round(run["validation_r1_0.5"], 4) for run in runs],
            "queries": runs[0]["validation_queries"],
        }
    print("| encoding | mIoU | R1@0.5 |\n| --- | --- | --- |")
    for encoding, found in table.items():
        miou, recall = (statistics.mean(found[name]) for name in ("miou", "r1_0.5"))
        print(f"| {encoding} | {miou:.3f} | {recall:.3f} |")
    result = {"benchmark": "ablate_time", "table": table, "seeds": args.seeds, "steps": args.steps}
    print(json.dumps({**result, "versions": versions("torch", "transformers", "deepspeed"), "machine": machine()}))


if __name__ == "__main__":
    main()
