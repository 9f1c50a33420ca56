"""Rollouts in the trainer against rollouts on a vLLM server, and what it costs to send the weights there.

``python -m benchmarks.rollout --python vllm/bin/python``. Two models with random weights, one of the bundled model's
sizes and one of 50 M parameters; one question about a clip of noise, G answers of full length. Every repetition has
another clip, so nothing of it is cached. vLLM runs as `timeground serve --train` starts it on this machine, and shares
its cores (or its GPU) with the trainer. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import torch
from timeground.train.config import GrpoSettings
from timeground.train.data.batches import pack
from timeground.train.data.render import ClipRows, Encoder
from timeground.train.grpo.loss import Divisor, PolicyInputs
from timeground.train.grpo.model import GrpoModel
from timeground.train.rollout.engine import Rollout, RolloutEngine
from timeground.train.rollout.local import Sampler
from timeground.train.rollout.served import VllmSampler
from timeground.train.rollout.weights import Weights

from benchmarks.common import cache_folder, print_result, time_alternating, versions
from benchmarks.random_model import PROFILE, noise_clip, random_model
from timeground.cli.serve import server_command
from timeground.data.rows import Row
from timeground.models.families.new_models import FreshModel
from timeground.models.loading import load
from timeground.spans import Span

TOKENS_PER_PAIR = 35  # 25 visual ones and the stamp
SHAPES = {
    "bundled": FreshModel(num_layers=5, vision_layers=3),
    "50m": FreshModel(
        hidden_size=704, num_layers=9, num_heads=11, num_key_value_heads=11, intermediate_size=1792,
        vision_hidden_size=256, vision_layers=4, vision_intermediate_size=768, deepstack_layers=(1,),
    ),
}  # fmt: skip


@dataclass
class Setting:
    """A model in training with its two rollout engines."""

    policy: GrpoModel
    local: Sampler
    vllm: VllmSampler
    optimizer: torch.optim.Optimizer
    visual_ids: tuple[int, int]

    @property
    def parameters_m(self) -> float:
        """Millions of parameters."""
        return round(sum(p.numel() for p in self.policy.parameters()) / 1e6, 1)

    def update(self, rollouts: list[Rollout]) -> None:
        """One step of the optimizer on a clip's answers."""
        batch = pack([example for r in rollouts for example in r.examples], self.visual_ids)
        inputs = PolicyInputs(torch.linspace(-1, 1, batch.num_answers, device=self.policy.device))
        divisor = Divisor(len(batch.targets_N), batch.num_answers, PROFILE.max_new_tokens)
        loss, _ = self.policy.objective(self.policy.train()(batch), batch, inputs, divisor)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.policy.eval()


def make_setting(folder: Path, url: str, group: int) -> Setting:
    """The trainer's side."""
    loaded = load(str(folder), dtype="bfloat16" if torch.cuda.is_available() else "float32")
    settings = GrpoSettings.model_validate(
        {
            "output": str(folder), "steps": 1, "rewards": ["tiou"], "data": {"synth_seed": 0},
            "model": {"init": str(folder), "frozen": "tower"}, "sampling": {"group_size": group},
            "rollout": {"engine": "vllm", "url": url},
        }
    )  # fmt: skip
    policy = GrpoModel(loaded, settings).eval()
    encoder = Encoder(loaded.checkpoint.builder, loaded.checkpoint.family, PROFILE)
    optimizer = torch.optim.AdamW([p for p in policy.parameters() if p.requires_grad], lr=1e-6)
    engine = SimpleNamespace(module=policy, device=policy.device)
    session: Any = SimpleNamespace(engine=engine, rank=0, output=folder)
    local = Sampler(policy, encoder, settings.sampling)
    vllm = VllmSampler(Weights(session, settings), encoder, settings)
    return Setting(
        policy,
        local,
        vllm,
        optimizer,
        loaded.checkpoint.family.visual_ids,
    )


@contextmanager
def serving(model: str, python: str | None, log: Path) -> Iterator[str]:
    """A server of a model; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    on_gpu = torch.cuda.is_available()
    more = ["--max-num-seqs", "32", *(["--gpu-memory-utilization", "0.4"] if on_gpu else ["--enforce-eager"])]
    dtype = "bfloat16" if on_gpu else "float32"
    command, environment = server_command(model, "127.0.0.1", port, dtype, python=python, train=True, more=more)
    with log.open("w") as file:
        server = subprocess.Popen(command, stdout=file, stderr=file, env=environment, start_new_session=True)
    try:
        wait_for(server, f"http://127.0.0.1:{port}/v1", log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=60)


def wait_for(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Until the server answers; RuntimeError if it ends or takes ten minutes."""
    for _ in range(600):
        if server.poll() is not None:
            break
        try:
            if httpx.get(f"{url}/models", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(1)
    raise RuntimeError(f"the server does not start: {log.read_text()[-2000:]}")


class Clips:
    """One question about a clip of noise; every call gives another clip."""

    def __init__(self, prompt_tokens: int) -> None:
        self.num_pairs, self.made = max(1, prompt_tokens // TOKENS_PER_PAIR), 0

    def __call__(self) -> ClipRows:
        """The next clip."""
        self.made += 1
        clip, length_s = noise_clip(self.num_pairs, seed=self.made), float(self.num_pairs)
        return ClipRows(clip, [Row("q", "v.mp4", length_s, "the red circle moves left", spans=[Span(0.0, 1.0)])])


def measure(setting: Setting, prompt_tokens: int, group: int, repeats: int) -> dict[str, Any]:
    """Seconds of a rollout on both engines, of an update, and of sending the weights."""
    clips = Clips(prompt_tokens)
    kept: list[list[Rollout]] = []

    def roll_out(engine: RolloutEngine) -> None:
        kept[:] = [engine.roll_out(clips(), [clips.made])]

    setting.vllm.refresh()
    timings = time_alternating(
        {"local": lambda: roll_out(setting.local), "vllm": lambda: roll_out(setting.vllm)}, repeats=repeats
    )
    others = time_alternating(
        {"update": lambda: setting.update(kept[0]), "weights": setting.vllm.refresh}, repeats=repeats
    )
    seconds = {name: t.wall_s for name, t in (timings | others).items()}
    example = kept[0][0].examples[0]
    answers = [node.inputs for node in example.nodes if node.answer is not None]
    step_s = seconds["vllm"] + seconds["update"] + seconds["weights"]
    return {
        "prompt_tokens": len(example.prompt) + len(example.questions[0]),
        "answer_tokens": round(statistics.mean(map(len, answers)), 1),
        "local_rollouts_per_s": round(group / seconds["local"], 2),
        "vllm_rollouts_per_s": round(group / seconds["vllm"], 2),
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "weights_share_of_step": round(seconds["weights"] / step_s, 4),
    }


def main() -> None:
    """Measure each shape at each prompt length and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", help="Python of vLLM's environment (default: $TIMEGROUND_VLLM)")
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--tokens", nargs="+", type=int, default=[500, 1000, 2000, 4000], help="prompt lengths")
    parser.add_argument("--group", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    os.environ.setdefault("WORLD_SIZE", "1")
    found: dict[str, Any] = {}
    for shape in args.shapes:
        folder = random_model(f"rollout-{shape}", SHAPES[shape])
        with serving(str(folder), args.python, cache_folder() / f"rollout-{shape}.log") as url:
            setting = make_setting(folder, url, args.group)
            rows = [measure(setting, tokens, args.group, args.repeats) for tokens in args.tokens]
            sizes = {"parameters_m": setting.parameters_m, "weights_mb": setting.vllm.weights.size_mb()}
            found[shape] = {**sizes, "prompts": rows}
            setting.vllm.close()
    last = found[args.shapes[-1]]["prompts"][-1]["seconds"]
    print_result(
        "rollout", last["vllm"] / last["local"], last["local"], last["vllm"],
        group=args.group, shapes=found, versions=versions("torch", "transformers"),
    )  # fmt: skip


if __name__ == "__main__":
    main()
