"""What a run writes down: metrics.jsonl and samples.jsonl (compared between runs), timings.jsonl (not compared)."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, TextIO

from timeground.files.json_text import lines_of
from timeground.files.whole_files import output_errors, write_text, writing
from timeground.progress import Bar, Bars

from .trackers import Tracker


class Journal:
    """Writes one line a step; a resumed run drops the lines of steps it will do again.

    Steps are counted inside a phase, and written with their number in the whole run.
    """

    def __init__(self, output: Path, steps: int, is_first_rank: bool, tracker: Tracker | None = None) -> None:
        """Begin the records of a run. steps: those of all phases."""
        self.output, self.steps, self.active, self.tracker = output, steps, is_first_rank, tracker
        self.last = time.perf_counter()
        self.files: dict[str, TextIO] = {}
        self.kept: set[str] = set()
        self.bars: Bars | None = None
        self.bar: Bar | None = None
        self.offset, self.head = 0, dict[str, Any]()

    def begin(self, phase: str, offset: int, done: int) -> None:
        """Begin a phase, or go on with it. offset: steps before it. done: its own steps that are behind it.

        phase: its name, which its lines carry; "" for a run without phases.
        """
        self.offset, self.head = offset, {"phase": phase} if phase else {}
        if not self.active:
            return
        if self.bars is None:
            files = ("metrics", "timings", "samples")
            kept = [_keep_lines(self.output / f"{name}.jsonl", offset + done) for name in files]
            self.kept = set(kept[0])
            self.bars = Bars().__enter__()
            self.bar = self.bars.add("training", self.steps, "steps", offset + done)
        self.last = time.perf_counter()

    def step(self, step: int, metrics: dict[str, Any], timings: dict[str, Any]) -> None:
        """Note one finished step (counted from 1)."""
        if self.bars is None or self.bar is None:
            return
        now = time.perf_counter()
        seconds, self.last = now - self.last, now
        step += self.offset
        self._write("metrics", {"step": step, **self.head, **metrics})
        self._write("timings", {"step": step, **self.head, "seconds": round(seconds, 4), **timings})
        name = "reward" if "reward" in metrics else "loss"
        self.bars.update(self.bar, step, f"{name} {metrics[name]:.4f}")
        if self.tracker is not None:
            self.tracker.log({**metrics, "seconds": seconds}, step=step)

    def note(self, step: int, metrics: dict[str, Any]) -> None:
        """Note a result that belongs to a step, such as a validation; once, if a resumed run finds it again."""
        step += self.offset
        if self.active:
            line = {"step": step, **self.head, **metrics}
            if json.dumps(line) not in self.kept:
                self._write("metrics", line)
            self.say(f"step {step}: {json.dumps(metrics)}")
            if self.tracker is not None:
                self.tracker.log(metrics, step=step)

    def sample(self, step: int, sample: dict[str, Any]) -> None:
        """Note one question with its sampled answers."""
        if self.active:
            self._write("samples", {"step": step + self.offset, **self.head, **sample})

    def say(self, text: str) -> None:
        """Print a line above the progress bar."""
        if self.bars is not None:
            print(text)  # a bar on the same screen makes room for it

    def close(self) -> None:
        """Finish the files and the bar, and draw the curves; nothing is drawn of a run that was never begun."""
        if self.tracker is not None:
            self.tracker.finish()
        for file in self.files.values():
            file.close()
        if self.bars is not None:
            self.bars.__exit__(None, None, None)
            draw_curves(self.output)

    def _write(self, name: str, line: dict[str, Any]) -> None:
        path = self.output / f"{name}.jsonl"
        with output_errors(path):
            if name not in self.files:
                self.files[name] = path.open("a", encoding="utf-8")
            self.files[name].write(json.dumps(line) + "\n")
            self.files[name].flush()


def _keep_lines(path: Path, up_to_step: int) -> list[str]:
    """Drop lines of later steps, and a last line that a kill cut short; what is kept."""
    if not path.exists():
        return []
    kept = []
    for line in lines_of(path.read_text(encoding="utf-8")):
        try:
            if json.loads(line)["step"] <= up_to_step:
                kept.append(line)
        except ValueError:
            continue
    write_text(path, "".join(f"{line}\n" for line in kept))
    return kept


SHOWN = ("loss", "reward", "reward_spread", "iou", "silent_groups", "entropy", "kl", "validation_miou")


def draw_curves(output: Path) -> None:
    """Write ``curves.png`` from ``metrics.jsonl``: one panel a quantity, a running mean over the single steps.

    A line stands where a phase begins.
    """
    path = output / "metrics.jsonl"
    lines = [json.loads(line) for line in lines_of(path.read_text(encoding="utf-8"))] if path.exists() else []
    found: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for line in lines:
        for name in line:
            if name in SHOWN or name.startswith("reward/"):
                found[name].append((line["step"], line[name]))
    if not found:
        return
    begun = {line["phase"]: line["step"] for line in reversed(lines) if "phase" in line}
    from matplotlib.figure import Figure

    columns = min(3, len(found))
    rows = -(-len(found) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.6 * rows), layout="constrained")
    for place, (name, points) in enumerate(sorted(found.items())):
        axes = figure.add_subplot(rows, columns, place + 1)
        steps, values = zip(*points, strict=True)
        axes.plot(steps, values, color="#b8c4d6", linewidth=0.8)
        axes.plot(steps, _smooth(list(values)), color="#1f4e9c", linewidth=1.6)
        for step in sorted(begun.values())[1:]:
            axes.axvline(step - 0.5, color="#999999", linewidth=0.8, linestyle=":")
        axes.set_title(name, fontsize=9)
        axes.tick_params(labelsize=7)
    with writing(output / "curves.png") as part:
        figure.savefig(part, dpi=110, format="png")


def _smooth(values: list[float], window: int = 20) -> list[float]:
    """Return the mean of the last `window` values at each place."""
    means = []
    for place in range(len(values)):
        recent = values[max(0, place - window + 1) : place + 1]
        means.append(sum(recent) / len(recent))
    return means
