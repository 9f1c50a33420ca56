"""What the data pipeline's engine costs, what a second worker gains, and how time and memory grow with the videos.

    python -m benchmarks.pipeline --picture docs/pipeline.png

The recipe measures each video, lets the bundled model answer its rows and asks it yes or no. `overhead_share` is the
wall time of a run with one worker that is neither decoding nor the model (opened once, then asked); how long those take
is measured in a plain loop over the same stages, which is what one would write without the engine. `ratio` is how many
times faster two workers are than one. A measurement that is done is kept, so that a stopped benchmark goes on;
``--fresh`` begins anew.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.common import cache_folder, memory_mb, print_result, versions
from benchmarks.tiny_grounding import dataset
from timeground.data.rows import Row, read_rows, write_rows
from timeground.files.whole_files import write_text
from timeground.stopwatch import Stopwatch

DISTINCT = 50
"""So many videos are rendered; more are copies under other names."""
STAGES = [
    {"stage": "probe", "min_s": 1, "fingerprint": False},
    {"stage": "ground", "passes": [{}]},
    {"stage": "agree"},
    {"stage": "audit", "questions": ["there"]},
    {"stage": "direction"},
    {"stage": "export", "formats": ["rows"]},
]


def inputs(num_videos: int, rows_per_video: int) -> Path:
    """A folder with so many videos and some grounding rows for each, in ``rows.jsonl``."""
    source = dataset("test", min(num_videos, DISTINCT), 0)
    root = cache_folder() / f"pipeline-{num_videos}-{rows_per_video}"
    (root / "videos").mkdir(parents=True, exist_ok=True)
    of_video: dict[str, list[Row]] = {}
    for row in read_rows(source / "annotations.jsonl"):
        if row.task == "ground":
            of_video.setdefault(row.video, []).append(row)
    rows, names = [], list(of_video)
    for number in range(num_videos):
        name = names[number % len(names)]
        if not (root / "videos" / f"{number}.mp4").exists():
            shutil.copy(source / name, root / "videos" / f"{number}.mp4")
        for place, row in enumerate(of_video[name][:rows_per_video]):
            rows.append(Row(f"{number}-{place}", f"videos/{number}.mp4", row.duration, row.query, row.spans))
    write_rows(root / "rows.jsonl", rows)
    return root


def engine(root: Path, num_videos: int, workers: int) -> dict[str, float]:
    """A run by the command: seconds, and the most memory in use at a time, of all its processes and of one worker."""
    output = root / "out"
    shutil.rmtree(output, ignore_errors=True)
    recipe = root / "recipe.yaml"
    source = {"videos": str(root), "rows": str(root / "rows.jsonl"), "limit": num_videos}
    recipe.write_text(json.dumps({"input": source, "output": str(output), "stages": STAGES}), encoding="utf-8")
    words = ["data", "run", str(recipe), "--quiet", "--workers", str(workers)]
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "timeground", *words], stdout=subprocess.DEVNULL)
    with _memory_of(process.pid) as most:
        if process.wait():
            raise SystemExit("the run failed; its message stands above")
    return {"wall_s": time.perf_counter() - began, **most}


@contextmanager
def _memory_of(pid: int) -> Iterator[dict[str, float]]:
    """The most resident memory, in MB, of a process and its children together, and of the largest child."""
    most, ended = {"all_mb": 0.0, "worker_mb": 0.0}, threading.Event()

    def watch() -> None:
        while not ended.wait(0.2):
            sizes = memory_mb(pid)
            most["all_mb"] = max(most["all_mb"], sum(sizes))
            most["worker_mb"] = max([most["worker_mb"], *sizes[1:]])

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield most
    finally:
        ended.set()
        thread.join()


def plain(root: Path, num_videos: int) -> dict[str, float]:
    """The same stages in a loop, in a process of its own: seconds in all, of decoding, and of the model."""
    words = ["-m", "benchmarks.pipeline", "--plain", str(root), "--videos", str(num_videos)]
    began = time.perf_counter()
    done = subprocess.run([sys.executable, *words], stdout=subprocess.PIPE, text=True, check=True)
    parts: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {"wall_s": time.perf_counter() - began, **parts}


def run_plain(root: Path, num_videos: int) -> dict[str, float]:
    """What `plain` starts."""
    import torch
    from timeground.data_pipeline import tools as pipeline_tools
    from timeground.data_pipeline.asking import StageModel
    from timeground.data_pipeline.inputs import read_items
    from timeground.data_pipeline.recipe import Recipe
    from timeground.data_pipeline.stage import VideoStage
    from timeground.data_pipeline.stages import probe as probing
    from timeground.data_pipeline.work import make_tools

    from timeground.media.video import Video
    from timeground.models.local.model import LocalModel

    torch.set_num_threads(1)
    clock = Stopwatch({"decode": 0.0, "model": 0.0})
    for owner, name, what in (
        (Video, "clip", "decode"),
        (probing, "probe", "decode"),
        (pipeline_tools, "open_stage_model", "model"),
        (LocalModel, "open", "model"),
        (StageModel, "ask", "model"),
    ):
        setattr(owner, name, _timed(getattr(owner, name), clock, what))
    source = {"videos": str(root), "rows": str(root / "rows.jsonl"), "limit": num_videos}
    recipe = Recipe.model_validate({"input": source, "output": str(root / "plain"), "stages": STAGES})
    tools, items = make_tools(recipe), read_items(recipe.input)
    for stage in recipe.stages:
        for item in items if isinstance(stage, VideoStage) else ():
            stage.run(item, tools)
    write_rows(root / "plain.jsonl", [row for item in items for row in item.rows])
    return {f"{name}_s": seconds for name, seconds in clock.seconds.items()}


def _timed(call: Callable[..., Any], clock: Stopwatch, what: str) -> Callable[..., Any]:
    def timed(*args: Any, **more: Any) -> Any:
        with clock.on(what):
            return call(*args, **more)

    return timed


class Kept:
    """Measurements by name, kept in a file as they come."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.found: dict[str, dict[str, float]] = json.loads(file.read_text()) if file.is_file() else {}

    def get(self, name: str, measure: Callable[[], dict[str, float]]) -> dict[str, float]:
        """The measurement of that name; it is made where there is none."""
        if name not in self.found:
            self.found[name] = {key: round(value, 3) for key, value in measure().items()}
            write_text(self.file, json.dumps(self.found, indent=2) + "\n")
        print(f"  {name}: {self.found[name]}", file=sys.stderr, flush=True)
        return self.found[name]


def draw(path: Path, counts: list[int], grown: list[dict[str, float]]) -> None:
    """Time and memory against the number of videos."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(counts, [one["wall_s"] for one in grown], "o-")
    left.set(xlabel="videos", ylabel="seconds", ylim=0, xlim=0, title="Time, one worker")
    right.plot(counts, [one["all_mb"] for one in grown], "o-", label="all processes")
    right.plot(counts, [one["worker_mb"] for one in grown], "o-", label="the worker")
    right.set(xlabel="videos", ylabel="MB", ylim=0, xlim=0, title="Most memory in use")
    right.legend(loc="lower right")
    figure.savefig(path, dpi=110)


def deviation(counts: list[int], seconds: list[float]) -> float:
    """How far the times are from a straight line at most, as a share of the longest."""
    import numpy as np

    line = np.polyval(np.polyfit(counts, seconds, 1), counts)
    return float(np.abs(line - np.array(seconds)).max() / max(seconds))


def main() -> None:
    """Measure what is not measured yet, and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=200, help="for the overhead and the second worker")
    parser.add_argument("--grow", type=int, nargs="*", default=[50, 100, 200, 400], help="for time and memory")
    parser.add_argument("--rows-per-video", type=int, default=3)
    parser.add_argument("--picture", type=Path, help="write time and memory as a PNG")
    parser.add_argument("--fresh", action="store_true", help="measure everything anew")
    parser.add_argument("--plain", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if args.plain:
        print(json.dumps(run_plain(args.plain, args.videos)))
        return
    root = inputs(max([args.videos, *args.grow]), args.rows_per_video)
    file = root / "measured.json"
    if args.fresh:
        file.unlink(missing_ok=True)
    kept = Kept(file)
    engine(root, 2, 1)  # imports and files are in the system's cache from here on
    loop = kept.get(f"plain loop, {args.videos} videos", lambda: plain(root, args.videos))
    counts = sorted({args.videos, *args.grow})
    grown = [kept.get(f"1 worker, {n} videos", lambda n=n: engine(root, n, 1)) for n in counts]
    one = grown[counts.index(args.videos)]
    two = kept.get(f"2 workers, {args.videos} videos", lambda: engine(root, args.videos, 2))
    if args.picture:
        draw(args.picture, counts, grown)
    print_result(
        "pipeline",
        one["wall_s"] / two["wall_s"],
        two["wall_s"],
        one["wall_s"],
        overhead_share=round(1 - (loop["decode_s"] + loop["model_s"]) / one["wall_s"], 4),
        plain_loop=loop,
        growth=[{"videos": n, **measured} for n, measured in zip(counts, grown, strict=True)],
        time_off_a_straight_line=round(deviation(counts, [g["wall_s"] for g in grown]), 4) if len(counts) > 1 else None,
        sizes={"videos": args.videos, "rows_per_video": args.rows_per_video},
        versions=versions("torch", "transformers", "av", "decord"),
    )


if __name__ == "__main__":
    main()
