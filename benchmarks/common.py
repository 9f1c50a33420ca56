"""What every benchmark needs: fair timing, facts about the machine, and one JSON line at the end."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from timeground.files.content_keys import CODE_VERSION


def cache_folder() -> Path:
    """Where rendered inputs are kept between runs of the same code."""
    folder = Path(tempfile.gettempdir()) / f"timeground-benchmarks-{CODE_VERSION}"
    folder.mkdir(exist_ok=True)
    return folder


def machine() -> dict[str, Any]:
    """Processor, cores, memory, system; and the GPU, if torch sees one."""
    facts: dict[str, Any] = {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_1min": round(os.getloadavg()[0], 2),
    }
    if hasattr(os, "sysconf"):
        facts["memory_gib"] = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        facts["gpu"] = torch.cuda.get_device_name()
    return facts


def versions(*packages: str) -> dict[str, str]:
    """Installed versions of packages; 'missing' where one is not there."""
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "missing"
    return found


@dataclass(frozen=True)
class Timing:
    """Median seconds of one side: by the clock, and of processor time (children included).

    On a busy machine the clock tells little; processor time then still does, and it is what counts where many
    files are decoded at once.
    """

    wall_s: float
    cpu_s: float


def time_alternating(sides: dict[str, Callable[[], object]], repeats: int = 3, warm_up: int = 1) -> dict[str, Timing]:
    """Time each side. The sides take turns, so that a busy minute of the machine hits them all.

    Every side runs ``warm_up`` times first, unmeasured: imports, caches of the file system, compiled kernels.
    Prints each time to stderr as it comes.
    """
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for turn in range(-warm_up, repeats):
        for name, run in sides.items():
            began, began_cpu = time.perf_counter(), _processor_time_s()
            result = run()
            took_s, took_cpu_s = time.perf_counter() - began, _processor_time_s() - began_cpu
            del result
            if turn >= 0:
                runs[name].append((took_s, took_cpu_s))
                print(f"  {name}: {took_s:.3f} s, processor {took_cpu_s:.3f} s", file=sys.stderr, flush=True)
    return {name: Timing(*map(statistics.median, zip(*times, strict=True))) for name, times in runs.items()}


def memory_mb(pid: int) -> list[float]:
    """Resident memory of a process and of each process under it; empty if it has ended."""
    try:
        parent = psutil.Process(pid)
        return [process.memory_info().rss / 1e6 for process in (parent, *parent.children(recursive=True))]
    except psutil.Error:
        return []


def _processor_time_s() -> float:
    """Processor time of this process and of its ended children, all threads."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def print_result(benchmark: str, ratio: float, ours_s: float, theirs_s: float, **more: Any) -> None:
    """The last line of every benchmark: one JSON object; ``ratio`` is how many times faster ours is."""
    result = {"benchmark": benchmark, "ratio": round(ratio, 2), "ours_s": round(ours_s, 3)}
    print(json.dumps({**result, "theirs_s": round(theirs_s, 3), **more, "machine": machine()}))


def _processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
