"""What `check` found, as a table for people or as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from .estimate import Estimate, Memory
from .memory import ALWAYS, Item, Phase

CARDS_GB = (16, 24, 40, 48, 80, 96, 141, 192)
SLACK = 1.1  # for what an estimate leaves out: a tenth, and CUDA's context
CONTEXT = 1 << 29
PHASES: dict[Phase, str] = {
    "rollout": "sampling",
    "update": "forward and backward",
    "step": "optimizer step",
}


def needed_card_gb(peak: int) -> int | None:
    """Return the smallest GPU, by the gigabytes it is sold with, that holds so many bytes; None if none does."""
    return next((size for size in CARDS_GB if peak * SLACK + CONTEXT <= size * 10**9), None)


def as_text(found: Estimate, head: Sequence[str], warnings: Sequence[str]) -> str:
    """Return the table."""
    lines = [*head, "", *_prompts(found), "", *_memory(found)]
    return "\n".join([*lines, *([""] if warnings else []), *(f"warning: {w}" for w in warnings)])


def as_json(found: Estimate, head: dict[str, Any], warnings: Sequence[str]) -> dict[str, Any]:
    """Return the same as a JSON object; sizes in bytes."""
    memory = [
        {
            **asdict(memory),
            "gpu": {phase: memory.gpu(phase) for phase in ALWAYS},
            "peak_gpu": memory.peak_gpu,
            "peak_host": memory.peak_host,
            "card_gb": needed_card_gb(memory.peak_gpu),
        }
        for memory in found.memory
    ]
    prompts = [{**asdict(size), "tokens": size.tokens} for size in (*found.prompts, found.largest)]
    fields = {**head, "sizes": asdict(found.sizes), "prompts": prompts, "step": asdict(found.step), "memory": memory}
    return {**fields, "warnings": list(warnings)}


def _line(name: str, cells: Sequence[str]) -> str:
    return f"{name:<52}" + "".join(f"{cell:>14}" for cell in cells)


def _gib(name: str, sizes: Sequence[int]) -> str:
    return _line(name, [f"{size / 2**30:.2f}" for size in sizes])


def _prompts(found: Estimate) -> list[str]:
    sizes, step = [*found.prompts, found.largest], found.step
    passes = ", each read to sample and to train," if step.prompt_passes > 1 else ""

    def row(name: str, attribute: str) -> str:
        return _line(f"  {name}", [f"{getattr(size, attribute):,}" for size in sizes])

    heads = [*(f"{size.duration_s:g} s" for size in found.prompts), f"{found.largest.duration_s:g} s, most"]
    return [
        _line("prompt of a clip of", heads),
        row("frames", "frames"),
        row("visual tokens", "visual_tokens"),
        row("text tokens", "text_tokens"),
        f"a step of all processes: {_count(step.clips, 'clip')}, {_count(step.questions, 'question')}, "
        f"{_count(step.answers, 'answer')}",
        f"  at most {step.prompt_tokens:,} tokens of prompts{passes} and {step.answer_tokens:,} of answers",
    ]


def _memory(found: Estimate) -> list[str]:
    memories = found.memory
    phases = [p for p in ALWAYS if any(_in_one(i, p) for m in memories for i in m.items)]
    lines = [_line("memory of a GPU in GiB, answers of", [f"{m.answer_tokens} tokens" for m in memories])]
    for members, title in [(ALWAYS, "all the time"), *(((p,), PHASES[p]) for p in phases)]:
        rows = _rows(memories, members)
        lines += [f"{title}:"] * bool(rows) + [_gib(f"  {name}", cells) for name, cells in rows]
    lines += [_gib(f"in all, {PHASES[p]}", [m.gpu(p) for m in memories]) for p in phases]
    lines.append(_gib("activations, with gradient checkpointing", [m.with_checkpointing for m in memories]))
    lines.append(_gib("activations, without it", [m.without_checkpointing for m in memories]))
    cards = [needed_card_gb(m.peak_gpu) for m in memories]
    lines.append(_line("smallest GPU that holds this and a tenth more", [f"{c} GB" if c else "none" for c in cards]))
    if any(m.peak_host for m in memories):
        lines.append(_gib("host memory of each process, for what is offloaded", [m.peak_host for m in memories]))
    return lines


def _rows(memories: Sequence[Memory], phases: tuple[Phase, ...]) -> list[tuple[str, list[int]]]:
    """Return items that all columns have, by name: those of all phases, or those of one among others."""

    def belongs(item: Item) -> bool:
        return item.gpu > 0 and (item.phases == ALWAYS if phases == ALWAYS else _in_one(item, phases[0]))

    names = list(dict.fromkeys(i.name for m in memories for i in m.items if belongs(i)))
    return [(name, [sum(i.gpu for i in m.items if i.name == name) for m in memories]) for name in names]


def _in_one(item: Item, phase: Phase) -> bool:
    return item.phases != ALWAYS and phase in item.phases


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
