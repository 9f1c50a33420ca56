"""``timeground models``: which model for which GPU, what is on this machine, and the line that fetches one."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
from pathlib import Path

from timeground.models.catalogue import MODELS, Known, best_for
from timeground.models.checkpoint_files import missing_files
from timeground.models.names import TINY, model_folder
from timeground.progress import size

USUAL = "TencentARC/TimeLens-8B"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--download", metavar="ID", help="fetch a model from the Hub: what it takes is said first")
    parser.add_argument("--json", action="store_true", help="print the list as JSON; sizes are in bytes")


def run(args: argparse.Namespace) -> None:
    """List, or fetch."""
    if args.download is not None:
        from timeground.models.downloading import download

        print(f"{download(args.download)}\nnow: timeground ground VIDEO 'query' --model {args.download}")
        return
    from timeground.models.hub import cached_ids

    there = {name: _kept(name, num_bytes) for name, num_bytes in cached_ids().items()}
    if args.json:
        print(json.dumps({"models": [_as_json(m, there) for m in MODELS], "on_disk": there, "folder": str(folder())}))
        return
    print("\n".join([*_table(there), "", *_below(there)]))


def folder() -> Path:
    """Return the folder that fetched models lie in."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _kept(name: str, num_bytes: int) -> dict[str, object]:
    """Return what is on this machine of a model, and whether that is all of it."""
    there = model_folder(name)
    return {"bytes": num_bytes, "complete": there is not None and not missing_files(there)}


def _as_json(model: Known, there: dict[str, dict[str, object]]) -> dict[str, object]:
    return {
        "id": model.id,
        "gpu_gb": model.gpu_gb,
        "download_bytes": round(model.download_bytes),
        "use": model.use,
        "on_disk": there.get(model.id),
        "fetch": f"timeground models --download {model.id}",
    }


def _table(there: dict[str, dict[str, object]]) -> list[str]:
    """Return the models, by the GPU that each needs, one a line."""
    cells = [
        ("GPU memory", "model", "download", "on disk", "what it is"),
        ("none", TINY, "ships", "yes", "knows coloured shapes only: to try things out"),
        *(
            (f"{m.gpu_gb} GB", m.id, size(m.download_bytes), _told(there.get(m.id)), m.use)
            for m in sorted(MODELS, key=lambda m: m.gpu_gb)
        ),
    ]
    widths = [max(len(line[column]) for line in cells) for column in range(4)]
    return ["  ".join([*(cell.ljust(w) for cell, w in zip(line, widths, strict=False)), line[4]]) for line in cells]


def _told(kept: dict[str, object] | None) -> str:
    return "no" if kept is None else "yes" if kept["complete"] else "in part"


def _below(there: dict[str, dict[str, object]]) -> list[str]:
    """Return what stands below the table."""
    known = {model.id for model in MODELS}
    others = [f"{name} ({size(float(str(kept['bytes'])))})" for name, kept in there.items() if name not in known]
    gpu = _gpu()
    best = best_for(gpu[1]) if gpu else None
    lines = [f"also on disk: {', '.join(sorted(others))}"] if others else []
    if gpu:
        lines.append(
            f"this machine: {gpu[0]}, {gpu[1]:.0f} GB: take {best.id if best else 'tiny, or a server (serve)'}"
        )
    else:
        lines.append("this machine: no GPU was found; on a CPU these take minutes a video and twice their download")
    lines.append(f"fetch one: timeground models --download {best.id if best else USUAL}")
    free = shutil.disk_usage(next(p for p in (folder(), *folder().parents) if p.exists())).free
    lines.append(f"to {folder()} ({size(free)} free; HF_HOME names another place)")
    lines.append("GPU memory and downloads are reckoned from sizes (bfloat16, a prompt of 16,384 tokens), not measured")
    return lines


def _gpu() -> tuple[str, float] | None:
    """Return the name and memory in GB of the largest GPU, as NVIDIA's own program tells; without loading torch."""
    ask = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(ask, capture_output=True, text=True, timeout=5, check=True).stdout
        found = [line.rpartition(",") for line in said.strip().splitlines()]
        cards = [(name.strip(), float(mib) * 2**20 / 1e9) for name, _, mib in found]
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return max(cards, key=lambda card: card[1], default=None)
