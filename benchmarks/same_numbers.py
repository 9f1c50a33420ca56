"""Whether a change of the code leaves the numbers as they were: what a refactor is proved with.

``run OUT`` does in OUT what users do, with this checkout's code: asks the bundled model about rendered videos (greedy
and sampled), cleans damaged rows, and trains a small model for a few steps by SFT and by each kind of GRPO.
``compare BEFORE AFTER`` says which answers, rows, metrics or weights of two such folders differ: texts and rows by
their bytes, numbers by more than 1e-6 (relative above 1). Run it in a checkout of the commit before and in this one.

    python -m benchmarks.same_numbers run /tmp/after
    python -m benchmarks.same_numbers compare /tmp/before /tmp/after
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TOLERANCE = 1e-6
SMALL = [
    "steps=3", "videos_per_micro_batch=1", "micro_batches=2", "save_every=3", "validate_every=2", "validate_videos=2",
    "sampling.group_size=4", "sampling.max_new_tokens=12", "engine.precision=float32", "optimizer.lr=1e-3",
    "model.init=tiny", "model.fresh=null", "data.questions_per_video=3",
    "data.synth_stages=[{durations_s: [[4, 6]], kind_weights: {single: 1.0, absent: 0.5}}]",
]  # fmt: skip
SFT = [part for part in SMALL if not part.startswith(("sampling", "micro"))]
TRAININGS: dict[str, list[str]] = {
    "sft": ["sft", "tiny-sft", *SFT],
    "sft-lora": ["sft", "tiny-sft", *SFT, "model.lora={rank: 4}", "model.frozen=tower"],
    "grpo": ["grpo", "tiny-grpo", *SMALL],
    "grpo-kept-prefix": ["grpo", "tiny-grpo", *SMALL, "rollout.keep_prefix=true"],
    "grpo-kl-sequence": ["grpo", "tiny-grpo", *SMALL, "loss.kl=0.05", "loss.normalisation=sequence"],
    "grpo-reversed": ["grpo", "tiny-arrow-strong", *SMALL],
    "grpo-shuffled": [
        "grpo",
        "tiny-grpo",
        *SMALL,
        "contrasts=[{name: shuffled, answers: 2}]",
        "rewards=[tiou, shuffle_bonus]",
    ],
}
"""What is trained, by the name of its folder under OUT/train: words of ``timeground train``."""
IGNORED = ("date", "seconds", "video")
"""Keys of what differs from run to run; an answer names its video by content and time of the file."""
PARTS = ("answers", "rows", "train")


def main() -> int:
    """Run the programs, or compare what two checkouts wrote."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    runs = commands.add_parser("run", help="write OUT with the code of this checkout")
    runs.add_argument("out", type=Path)
    runs.add_argument("--only", choices=PARTS, help="one part of it")
    compares = commands.add_parser("compare", help="say what differs between two folders")
    compares.add_argument("before", type=Path)
    compares.add_argument("after", type=Path)
    args = parser.parse_args()
    if args.command == "run":
        run(args.out.resolve(), [args.only] if args.only else list(PARTS))
        return 0
    found = differences(args.before, args.after)
    print("\n".join(found) or "nothing differs")
    return 1 if found else 0


def run(out: Path, parts: list[str]) -> None:
    """Write everything that is compared."""
    out.mkdir(parents=True, exist_ok=True)
    data = out / "data"
    _timeground(out, "synth", str(data / "synth"), "--videos", "12", "--seed", "990201")
    if "answers" in parts:
        asked = ["eval", "--model", "tiny", "--tasks", "synth,synth-choice,synth-yes-no", "--data", str(data)]
        _timeground(out, *asked, "--probe", "reversed,shuffled", "--output_path", "answers/greedy")
        _timeground(
            out, *asked, "--samples", "2", "--choice", "logprob", "--limit", "6", "--output_path", "answers/some"
        )
    if "rows" in parts:
        rows = f"input.rows={data / 'synth' / 'annotations.jsonl'}"
        _timeground(out, "data", "run", "tiny-clean", f"input.videos={data / 'synth'}", rows, "output=rows")
    if "train" in parts:
        for name, words in TRAININGS.items():
            _timeground(out, "train", *words, f"output=train/{name}")


def _timeground(folder: Path, *words: str) -> None:
    print("timeground", *words, flush=True)
    done = subprocess.run([sys.executable, "-m", "timeground", *words], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{done.stdout}\n{done.stderr}")


def differences(before: Path, after: Path) -> list[str]:
    """Return a line for each file that one folder lacks or whose content differs, sorted."""
    found = []
    for name in sorted({*_compared(before), *_compared(after)}):
        if not ((before / name).is_file() and (after / name).is_file()):
            found.append(f"{name}: only in {before if (before / name).is_file() else after}")
        elif problem := _difference(before / name, after / name):
            found.append(f"{name}: {problem}")
    return found


def _compared(folder: Path) -> Iterator[str]:
    for pattern in (
        "answers/**/*.jsonl",
        "answers/**/results*.json",
        "rows/*.jsonl",
        "train/*/*.jsonl",
        "train/*/model/*.safetensors",
    ):
        for path in folder.glob(pattern):
            if path.name != "timings.jsonl":
                yield path.relative_to(folder).as_posix()


def _difference(before: Path, after: Path) -> str | None:
    if before.suffix == ".safetensors":
        return _weights_differ(before, after)
    read = (lambda p: [json.loads(p.read_text())]) if before.suffix == ".json" else _lines
    old, new = read(before), read(after)
    if len(old) != len(new):
        return f"{len(old)} and {len(new)} lines"
    for number, (a, b) in enumerate(zip(old, new, strict=True), 1):
        if place := _differs(a, b):
            return f"line {number}, {place}"
    return None


def _lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _differs(a: Any, b: Any, place: str = "") -> str | None:
    """Return where two JSON values differ, None where they are the same."""
    if isinstance(a, dict) and isinstance(b, dict):
        pairs = [(f"{place}.{key}", a.get(key), b.get(key)) for key in sorted({*a, *b}) if key not in IGNORED]
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        pairs = [(f"{place}[{i}]", x, y) for i, (x, y) in enumerate(zip(a, b, strict=True))]
    elif isinstance(a, float) and isinstance(b, float):
        return None if math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE) else f"{place}: {a!r} and {b!r}"
    else:
        return None if a == b else f"{place}: {str(a)[:60]!r} and {str(b)[:60]!r}"
    return next((found for where, x, y in pairs if (found := _differs(x, y, where))), None)


def _weights_differ(before: Path, after: Path) -> str | None:
    from safetensors.torch import load_file

    old, new = load_file(before), load_file(after)
    if old.keys() != new.keys():
        return f"tensors {sorted(set(old) ^ set(new))[:3]} are in one only"
    largest = max((float((old[k].float() - new[k].float()).abs().max()), k) for k in old)
    return f"{largest[1]} by {largest[0]:.2e}" if largest[0] > TOLERANCE else None


if __name__ == "__main__":
    sys.exit(main())
