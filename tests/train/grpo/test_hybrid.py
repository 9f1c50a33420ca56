"""A hybrid (Qwen3.5: linear attention in most layers) is trained as any other: adapters, shards, stops."""

from __future__ import annotations

from pathlib import Path

from tests.support.runs import TINY_RL

SMALL = ("sampling.max_new_tokens=8", "sampling.temperature=1.5", "validate_every=0", "data.questions_per_video=2")


def command(folder: str, output: Path, *more: str) -> list[str]:
    return ["train", "grpo", "tiny-grpo", f"model.init={folder}", f"output={output}", *TINY_RL, *SMALL, *more]
