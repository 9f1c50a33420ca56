"""What a run writes down: metrics.jsonl (compared between runs), timings.jsonl (not compared), a progress bar."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Journal:
    """Writes one line a step; a resumed run drops the lines of steps it will do again."""

    def __init__(self, output: Path, first_step: int, steps: int, is_first_rank: bool) -> None:
        """Open the files of a run that has `first_step` steps behind it."""
        self.output, self.active = output, is_first_rank
        self.last = time.perf_counter()
        if not self.active:
            return
        for name in ("metrics.jsonl", "timings.jsonl"):
            _keep_lines(output / name, first_step)
        self.metrics = (output / "metrics.jsonl").open("a", encoding="utf-8")
        self.timings = (output / "timings.jsonl").open("a", encoding="utf-8")
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:.2f} steps/s"),
            TimeRemainingColumn(),
            TextColumn("loss {task.fields[loss]:.4f}"),
        )
        self.progress = Progress(*columns, refresh_per_second=2)
        self.bar = self.progress.add_task("training", total=steps, completed=first_step, rate=0.0, loss=float("nan"))
        self.progress.start()

    def step(self, step: int, metrics: dict[str, Any], timings: dict[str, Any]) -> None:
        """Note one finished step (counted from 1)."""
        if not self.active:
            return
        now = time.perf_counter()
        seconds, self.last = now - self.last, now
        self._write(self.metrics, {"step": step, **metrics})
        self._write(self.timings, {"step": step, "seconds": round(seconds, 4), **timings})
        self.progress.update(self.bar, completed=step, rate=1 / max(seconds, 1e-9), loss=metrics["loss"])

    def note(self, step: int, metrics: dict[str, Any]) -> None:
        """Note a result that belongs to a step, such as a validation."""
        if self.active:
            self._write(self.metrics, {"step": step, **metrics})
            self.progress.console.print(f"step {step}: {json.dumps(metrics)}")

    def close(self) -> None:
        """Finish the files and the bar."""
        if self.active:
            self.progress.stop()
            self.metrics.close()
            self.timings.close()

    @staticmethod
    def _write(file: Any, line: dict[str, Any]) -> None:
        file.write(json.dumps(line) + "\n")
        file.flush()


def _keep_lines(path: Path, up_to_step: int) -> None:
    """Drop lines of later steps, and a last line that a kill cut short."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= up_to_step:
                kept.append(line + "\n")
        except ValueError:
            continue
    part = path.with_suffix(".part")
    part.write_text("".join(kept), encoding="utf-8")
    os.replace(part, path)
