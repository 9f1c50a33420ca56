"""What is installed and what machine this is. Never fails: what is missing is said to be missing."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

PACKAGES = (
    "timeground",
    "torch",
    "torchvision",
    "transformers",
    "av",
    "torchcodec",
    "decord",
    "qwen-vl-utils",
    "deepspeed",
)
NOT_INSTALLED = "not installed"
GIB = 1024**3


def versions() -> dict[str, str]:
    """Return the version of each program and package by its name."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = NOT_INSTALLED
    return {**found, "ffmpeg program": ffmpeg_version()}


def ffmpeg_version() -> str:
    """Return the version of the ``ffmpeg`` program on the path; nothing here needs it, some of the user's tools may."""
    program = shutil.which("ffmpeg")
    if program is None:
        return NOT_INSTALLED
    try:
        out = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=10, check=True)
        return out.stdout.split()[2]
    except (OSError, subprocess.SubprocessError, IndexError) as error:
        return f"does not run ({type(error).__name__})"


def hardware() -> dict[str, str]:
    """Return the cores and memory that this process may use, and the GPUs that torch sees."""
    memory = memory_bytes()
    return {
        "CPU cores": str(num_cores()),
        "memory": "unknown" if memory is None else f"{memory / GIB:.1f} GiB",
        "GPUs": gpus(),
    }


def num_cores() -> int:
    """Return how many CPU cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_bytes(limit_file: Path = Path("/sys/fs/cgroup/memory.max")) -> int | None:
    """Return the memory of the machine, or of the container where that is less; None if the system does not tell."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    try:
        return min(total, int(limit_file.read_text()))
    except (OSError, ValueError):  # no such limit, or the word "max"
        return total


def gpus() -> str:
    """Return names and memory of the GPUs, or why there are none."""
    try:
        import torch

        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        found = [torch.cuda.get_device_properties(i) for i in range(count)]
    except Exception as error:  # a broken driver or torch must not keep the rest from being shown
        return f"unknown ({type(error).__name__})"
    return ", ".join(f"{gpu.name} ({gpu.total_memory / GIB:.0f} GiB)" for gpu in found) or "none"
