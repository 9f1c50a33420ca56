"""Does cleaning help training? The same start, trained on damaged rows and on the same rows cleaned, compared.

    python -m benchmarks.pipeline_cleans --rows 300
    python -m benchmarks.pipeline_trains --rows 300

The first command damages and cleans; this one trains on both files, for as many steps with the same settings, and
validates each model on held-out SynthMoments scenes. Both runs go on where they were stopped. Prints one JSON line:
held-out mIoU and R1@0.5 of the start, after damaged and after cleaned rows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from benchmarks.common import machine, versions
from benchmarks.pipeline_cleans import folder_for
from benchmarks.tiny_grounding import dataset
from timeground.data.rows import read_rows
from timeground.media.video import Video
from timeground.methods.direct import Direct
from timeground.models.local.model import LocalModel
from timeground.spans import set_iou
from timeground.synth.frames import scene_clip, scene_seed
from timeground.synth.rows import make_rows
from timeground.synth.world import sample_scene


def train(name: str, rows: Path, videos: Path, folder: Path, args: argparse.Namespace) -> Path:
    """Train on a file of rows; the folder of the model."""
    output = folder / f"trained-{name}-{args.steps}"
    settings = {
        "output": output,
        "steps": args.steps,
        "videos_per_micro_batch": args.batch,
        "save_every": 50,
        "validate_every": 0,
        "model.fresh": "null",
        "model.init": args.start,
        "optimizer.name": "adamw",
        "optimizer.lr": args.lr,
        "optimizer.warmup_steps": max(1, args.steps // 20),
        "data.synth_seed": "null",
        "data.rows": rows,
        "data.videos": videos,
    }
    words = [f"{key}={value}" for key, value in settings.items()]
    command = [sys.executable, "-m", "timeground", "train", "sft", "tiny-sft", *words]
    subprocess.run([*command, "--processes", str(args.processes)], check=True, stdout=sys.stderr)
    return output / "model"


def held_out(folder: str, num_videos: int) -> dict[str, Any]:
    """Set IoU and share of IoU >= 0.5 on held-out scenes' queries that have one span; greedy answers."""
    model = LocalModel.from_pretrained(folder)
    ious = []
    for index in range(num_videos):
        scene = sample_scene(scene_seed("held_out", 4, index), durations_s=(8.0, 40.0))
        rows = [row for row in make_rows(scene, "held-out.mp4") if row.meta["kind"] == "single"]
        outcomes = Direct.answer(model, Video.of(scene_clip(scene, model.sampling())), rows)
        for row, outcome in zip(rows, outcomes, strict=True):
            ious.append(set_iou(list(outcome.answer.spans), row.spans))
    found = torch.tensor(ious)
    return {
        "miou": round(float(found.mean()), 4),
        "standard_error": round(float(found.std() / len(ious) ** 0.5), 4),
        "r1_0.5": round(float((found >= 0.5).float().mean()), 4),
        "queries": len(ious),
    }


def main() -> None:
    """Train twice, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=300, help="as given to pipeline_cleans")
    parser.add_argument("--videos", type=int, default=100, help="as given to pipeline_cleans")
    parser.add_argument("--seed", type=int, default=0, help="as given to pipeline_cleans")
    parser.add_argument("--start", default="tiny", help="the model that both runs start from")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=4, help="videos an update")
    parser.add_argument("--lr", type=float, default=2e-4)
    parser.add_argument("--held-out", type=int, default=100, help="held-out videos to compare on")
    parser.add_argument("--processes", type=int, default=1)
    args = parser.parse_args()
    folder = folder_for(args.rows, args.seed)
    sides = {"damaged": folder / "damaged.jsonl", "cleaned": folder / "out" / "rows.jsonl"}
    if missing := [path for path in sides.values() if not path.is_file()]:
        raise SystemExit(
            f"{missing[0]} is not there; run python -m benchmarks.pipeline_cleans --rows {args.rows} first"
        )
    videos = dataset("test", args.videos, args.seed)
    held = {"start": held_out(args.start, args.held_out)}
    for name, rows in sides.items():
        model = train(name, rows, videos, folder, args)
        held[name] = {**held_out(str(model), args.held_out), "rows": sum(1 for _ in read_rows(rows))}
    result = {
        "benchmark": "pipeline_trains",
        "held_out": held,
        "gain_miou": round(held["cleaned"]["miou"] - held["damaged"]["miou"], 4),
        "sizes": {"steps": args.steps, "batch": args.batch, "lr": args.lr},
        "versions": versions("torch", "transformers", "deepspeed"),
        "machine": machine(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
