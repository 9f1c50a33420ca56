"""What only a GPU can show, in under nine minutes on one: speed, memory and parity at real sizes, random weights.

``python -m benchmarks.gpu_check``. For each shape: the update of a GRPO step with adapters at a long prompt, ours (one
packed row) against full rows one at a time and against a prefix-grouped update; how far log-probabilities and
gradients in bfloat16 are apart; many queries on one video; a broadcast of all weights by NCCL on the one device. The
vision tower is left out on all sides. Each part is skipped, and said to be, when its time is up; the last line is JSON.
It needs torch, transformers and this checkout. ``--quick`` runs tiny sizes, on a CPU too.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent.parent))  # on a machine where timeground is not installed

from benchmarks.gpu_step import Task, Update, checkpointing, make_model, random_question
from timeground.models.inputs import PromptInputs
from timeground.models.local.delta_net import KERNELS, has_states, installed_kernels
from timeground.models.local.prefix_cache import PrefixCache
from timeground.models.sampling import AnswerTokens, SampleSpec

SHAPES = ("qwen3-vl-8b", "qwen3.5-9b")
PROMPT, PROMPT_WITHOUT_KERNELS = 14336, 4096
"""Tokens of a prompt; without kernels for linear attention a hybrid would take all the time."""
QUESTION, GROUP, LENGTH = 32, 8, 32
QUERIES = 8
QUICK = {
    "num_hidden_layers": 4, "hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 2, "vocab_size": 1024,
    "num_key_value_heads": 1, "head_dim": 128, "bos_token_id": 0, "eos_token_id": 0, "linear_num_key_heads": 1,
    "linear_num_value_heads": 2,
}  # fmt: skip


@dataclass
class Check:
    """One run: what was found, what was skipped, and how much time is left."""

    budget_s: float
    device: torch.device
    dtype: torch.dtype
    quick: bool
    began: float = field(default_factory=time.perf_counter)
    found: dict[str, Any] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    def measure(self, name: str, call: Callable[[], Any], expected_s: float) -> Any:
        """Return what a call gives, its seconds and peak memory noted; None if there is no time or memory for it."""
        left = self.budget_s - (time.perf_counter() - self.began)
        if left < expected_s:
            self.skipped.append(f"{name}: {left:.0f} s left, about {expected_s:.0f} s needed")
            return None
        self._settle()
        start = time.perf_counter()
        try:
            given = call()
            self._synchronize()
        except (torch.OutOfMemoryError, RuntimeError) as error:
            self.skipped.append(f"{name}: {str(error).splitlines()[0][:160]}")
            return None
        noted = {"seconds": round(time.perf_counter() - start, 3)}
        if self.device.type == "cuda":
            noted["peak_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
        self.found[name] = noted
        print(f"{name}: {noted}", flush=True)
        return given

    def _settle(self) -> None:
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            self._synchronize()

    def _synchronize(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def check_shape(check: Check, shape: str) -> None:
    """Measure one shape."""
    model = check.measure(
        f"{shape}: random weights",
        lambda: make_model(shape, check.device, check.dtype, QUICK if check.quick else {}),
        60,
    )
    if model is None:
        return
    slow = has_states(model) and len(installed_kernels()) < len(KERNELS)
    prompt = 96 if check.quick else PROMPT_WITHOUT_KERNELS if slow else PROMPT
    if slow:
        check.found[f"{shape}: note"] = (
            f"linear attention in PyTorch's own operations, so the prompt has {prompt} tokens"
        )
    task = Task.of(model, (prompt, QUESTION, GROUP, LENGTH))
    check_update(check, shape, Update(model, task))
    check_queries(check, shape, model, task)
    check_broadcast(check, shape, model)


def check_update(check: Check, shape: str, update: Update) -> None:
    """Time the update each way, and compare what it gives."""
    sides = {"packed": update.packed, "packed, checkpointing": update.packed, "full rows": update.full_rows}
    if not has_states(update.model):
        sides["prefix-grouped"] = update.grouped
    else:
        check.skipped.append(f"{shape}: prefix-grouped: keys and values alone do not share a hybrid's prompt")
    results: dict[str, tuple[Tensor, dict[str, Tensor]]] = {}
    check.measure(f"{shape}: warm-up", update.packed, 30)
    update.gradients()
    for side, call in sides.items():
        with checkpointing(update.model, "checkpointing" in side or side == "full rows"):
            logprobs = check.measure(f"{shape}: update, {side}", call, 20)
        if logprobs is not None:
            results[side] = logprobs, update.gradients()
    if {"packed", "full rows"} <= set(results):
        check.found[f"{shape}: packed against full rows"] = apart(results["packed"], results["full rows"])
        faster(check, f"{shape}: update", "packed, checkpointing", "full rows")
    if {"packed", "prefix-grouped"} <= set(results):
        check.found[f"{shape}: packed against prefix-grouped"] = apart(results["packed"], results["prefix-grouped"])
        faster(check, f"{shape}: update", "packed", "prefix-grouped")


def faster(check: Check, name: str, ours: str, theirs: str) -> None:
    """Note how many times faster one side is than the other."""
    seconds = [check.found[f"{name}, {side}"]["seconds"] for side in (theirs, ours) if f"{name}, {side}" in check.found]
    if len(seconds) == 2:
        check.found[f"{name}: {ours} is faster than {theirs}"] = round(seconds[0] / seconds[1], 2)


def apart(ours: tuple[Tensor, dict[str, Tensor]], theirs: tuple[Tensor, dict[str, Tensor]]) -> dict[str, float]:
    """How far log-probabilities are apart, and gradients relative to their norm."""
    gap = (ours[0] - theirs[0]).abs()
    pairs = [(ours[1][name].float(), theirs[1][name].float()) for name in theirs[1]]
    difference = sum(float((a - b).square().sum()) for a, b in pairs) ** 0.5
    return {
        "logprob_gap_max": round(float(gap.max()), 6),
        "logprob_gap_mean": round(float(gap.mean()), 6),
        "gradient_gap": round(difference / sum(float(b.square().sum()) for _, b in pairs) ** 0.5, 6),
    }


def check_queries(check: Check, shape: str, model: Any, task: Task) -> None:
    """Time greedy answers to many queries from one prefill, and to one query with a prefill of its own."""
    model.eval()
    ids = task.prompt.cpu().numpy()
    prompt = PromptInputs.following(ids.tolist(), 0)
    asked = [random_question(QUESTION, len(ids), seed) for seed in range(QUERIES)]
    questions = [PromptInputs(*one, (), len(ids) + QUESTION) for one in asked]
    spec, tokens = SampleSpec(max_new_tokens=4 if check.quick else LENGTH), AnswerTokens(-1)

    def answer(which: list[PromptInputs]) -> list[list[Any]]:
        return PrefixCache(model, prompt, task.features).answer(which, spec, tokens)

    together = check.measure(f"{shape}: {QUERIES} queries from one prefill", lambda: answer(questions), 30)
    alone = check.measure(f"{shape}: one query", lambda: answer(questions[:1]), 20)
    if together and alone:
        seconds = [
            check.found[f"{shape}: {name}"]["seconds"] for name in ("one query", f"{QUERIES} queries from one prefill")
        ]
        check.found[f"{shape}: queries from one prefill are faster"] = round(QUERIES * seconds[0] / seconds[1], 2)
        check.found[f"{shape}: the first query's tokens are the same"] = together[0][0].ids == alone[0][0].ids


def check_broadcast(check: Check, shape: str, model: Any) -> None:
    """Time a broadcast of all weights in a group of this one process."""
    from torch import distributed

    backend = "nccl" if check.device.type == "cuda" else "gloo"
    if not distributed.is_available() or (backend == "nccl" and not distributed.is_nccl_available()):
        check.skipped.append(f"{shape}: broadcast: this PyTorch has no {backend}")
        return
    with tempfile.TemporaryDirectory() as folder:
        distributed.init_process_group(backend, init_method=f"file://{folder}/group", rank=0, world_size=1)
        try:
            weights = [p.data for p in model.parameters()]
            check.measure(
                f"{shape}: broadcast of {sum(w.nbytes for w in weights) / 2**30:.1f} GiB by {backend}, one device",
                lambda: [distributed.broadcast(weight, 0) for weight in weights],
                10,
            )
        finally:
            distributed.destroy_process_group()


def main(argv: list[str] | None = None) -> int:
    """Run all parts and print one JSON line."""
    import transformers

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget-s", type=float, default=510.0, help="parts that would end later are skipped")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--shape", choices=SHAPES, action="append", help="only this shape")
    parser.add_argument("--out", type=Path, help="also write the JSON to this file")
    args = parser.parse_args(argv)
    if not args.quick and not torch.cuda.is_available():
        print("gpu_check: torch sees no GPU; --quick runs tiny sizes on the CPU", file=sys.stderr)
        return 2
    gpu = torch.cuda.is_available()
    device = torch.device("cuda" if gpu else "cpu")
    check = Check(args.budget_s, device, torch.bfloat16 if gpu else torch.float32, args.quick)
    for shape in args.shape or SHAPES:
        check_shape(check, shape)
    text = json.dumps(
        {
            "benchmark": "gpu_check",
            "device": torch.cuda.get_device_name() if gpu else "cpu",
            "sizes": {"group": GROUP, "answer_tokens": LENGTH, "question_tokens": QUESTION, "quick": args.quick},
            "kernels": installed_kernels(),
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
            "found": check.found,
            "skipped": check.skipped,
            "took_s": round(time.perf_counter() - check.began),
        }
    )
    if args.out:
        args.out.write_text(text + os.linesep, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
