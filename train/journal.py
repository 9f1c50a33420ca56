"""What a run writes down: metrics.jsonl and samples.jsonl (compared between runs), timings.jsonl (not compared)."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, TextIO

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from timeground.files.json_text import lines_of
from timeground.files.whole_files import output_errors, write_text

from .curves import draw_curves
from .trackers import Tracker


class Journal:
    """Writes one line a step; a resumed run drops the lines of steps it will do again."""

    def __init__(
        self, output: Path, first_step: int, steps: int, is_first_rank: bool, tracker: Tracker | None = None
    ) -> None:
        """Open the files of a run that has `first_step` steps behind it."""
        self.output, self.active, self.tracker = output, is_first_rank, tracker
        self.last = time.perf_counter()
        self.files: dict[str, TextIO] = {}
        if not self.active:
            return
        kept = [_keep_lines(output / f"{name}.jsonl", first_step) for name in ("metrics", "timings", "samples")]
        self.kept = set(kept[0])
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:.2f} steps/s"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[shown]}"),
        )
        self.progress = Progress(*columns, refresh_per_second=2)
        self.bar = self.progress.add_task("training", total=steps, completed=first_step, rate=0.0, shown="")
        self.progress.start()

    def step(self, step: int, metrics: dict[str, Any], timings: dict[str, Any]) -> None:
        """Note one finished step (counted from 1)."""
        if not self.active:
            return
        now = time.perf_counter()
        seconds, self.last = now - self.last, now
        self._write("metrics", {"step": step, **metrics})
        self._write("timings", {"step": step, "seconds": round(seconds, 4), **timings})
        name = "reward" if "reward" in metrics else "loss"
        shown = f"{name} {metrics[name]:.4f}"
        self.progress.update(self.bar, completed=step, rate=1 / max(seconds, 1e-9), shown=shown)
        if self.tracker is not None:
            self.tracker.log({**metrics, "seconds": seconds}, step=step)

    def note(self, step: int, metrics: dict[str, Any]) -> None:
        """Note a result that belongs to a step, such as a validation; once, if a resumed run finds it again."""
        if self.active:
            line = {"step": step, **metrics}
            if json.dumps(line) not in self.kept:
                self._write("metrics", line)
            self.say(f"step {step}: {json.dumps(metrics)}")
            if self.tracker is not None:
                self.tracker.log(metrics, step=step)

    def sample(self, step: int, sample: dict[str, Any]) -> None:
        """Note one question with its sampled answers."""
        if self.active:
            self._write("samples", {"step": step, **sample})

    def say(self, text: str) -> None:
        """Print a line above the progress bar."""
        if self.active:
            self.progress.console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        """Finish the files and the bar, and draw the curves."""
        if not self.active:
            return
        self.progress.stop()
        for file in self.files.values():
            file.close()
        if self.tracker is not None:
            self.tracker.finish()
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
