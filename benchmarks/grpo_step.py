"""One GRPO step: rollout, rewards and update, with one shared prefix against a prompt in every row.

``python -m benchmarks.grpo_step``. The sides have the same model, clip and question, and each its own optimizer step:
`shared` is ours, `kept` ours with `rollout.keep_prefix` (one pass over the prompt for rollout and update); `plain` is
what trainers built on transformers' `generate` do (TimeLens, Time-R1): a batch of G rows that each carry the whole
prompt, in the rollout and in the update, here with the visual features computed only once for each; `recomputed` is the
same with the vision tower run for every row, as those trainers run it.
Decoding the video is left out on all sides. ``--curve out.png`` repeats it over prompt lengths and group sizes;
``--family qwen3_5`` takes a hybrid, whose linear layers fork their state.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import torch
from timeground.train.config import GrpoSettings, SamplingSettings
from timeground.train.data.batches import pack
from timeground.train.data.render import ClipRows, Encoder
from timeground.train.grpo.advantages import advantages
from timeground.train.grpo.loss import Divisor, PolicyInputs
from timeground.train.grpo.model import GrpoModel
from timeground.train.grpo.scoring import make_rewards, score
from timeground.train.rewards import Question
from timeground.train.rewards.columns import trajectory_of
from timeground.train.rollout.local import Sampler
from timeground.train.runtime.memory import trim_memory

from benchmarks.common import print_result, time_alternating, versions
from benchmarks.random_model import PROFILE, noise_clip, random_model
from timeground.data.rows import Row
from timeground.models.families.new_models import FIRST_SHAPE, SHAPES, FreshModel
from timeground.models.loading import Loaded, load
from timeground.models.local.delta_net import installed_kernels
from timeground.spans import Span

NEW_TOKENS = PROFILE.max_new_tokens
ON_CPU = FreshModel(
    hidden_size=640,
    num_layers=8,
    num_heads=10,
    num_key_value_heads=5,
    intermediate_size=1792,
    vision_hidden_size=384,
    vision_layers=6,
    vision_intermediate_size=1024,
    deepstack_layers=(1, 3),
)
ON_GPU = FreshModel(
    hidden_size=2048,
    num_layers=36,
    num_heads=16,
    num_key_value_heads=2,
    intermediate_size=11008,
    vision_hidden_size=1280,
    vision_layers=32,
    vision_intermediate_size=3420,
    deepstack_layers=(8, 16, 24),
)


@dataclass
class Step:
    """One side's model with its optimizer, and the clip with its question."""

    loaded: Loaded
    policy: GrpoModel
    encoder: Encoder
    item: ClipRows
    settings: GrpoSettings
    optimizer: torch.optim.Optimizer

    def shared(self, keep_prefix: bool) -> None:
        """Our step."""
        self.policy.eval()
        sampler = Sampler(self.policy, self.encoder, self.settings.sampling, keep_prefix=keep_prefix)
        rollouts = sampler.roll_out(self.item, [0])
        (scored,) = score(rollouts, make_rewards(self.settings))
        family = self.loaded.checkpoint.family
        batch = pack(scored.rollout.examples, (family.image_token_id, family.video_token_id))
        inputs = PolicyInputs(advantages(scored.total_QG, "group").flatten().to(self.policy.device))
        divisor = Divisor(len(batch.targets_N), batch.num_answers, NEW_TOKENS)
        loss, _ = self.policy.objective(self.policy.train()(batch), batch, inputs, divisor)
        self._learn(loss)

    def plain(self, recompute: bool) -> None:
        """The same step with G full rows."""
        inputs, count = self._processor_inputs(), self.settings.sampling.group_size
        length = inputs["input_ids"].shape[1]
        ids = self._generate(inputs, count, recompute)
        texts = [self.encoder.builder.decode(row[length:].tolist()) for row in ids]
        question = Question(self.item.rows[0], [trajectory_of(text) for text in texts])
        rewards = make_rewards(self.settings)([question]).total
        advantage = advantages(torch.tensor(rewards).view(1, -1), "group")[0].to(ids.device)
        logits = self._update_logits(inputs, ids, recompute)
        logits[..., list(self.loaded.checkpoint.family.forbidden_ids)] = -1e9
        logprobs = logits.float().log_softmax(-1).gather(2, ids[:, length:, None])[..., 0]
        ratio = (logprobs - logprobs.detach()).exp()
        self._learn(-(ratio * advantage[:, None]).sum() / ratio.numel())

    def _generate(self, inputs: dict[str, Any], count: int, recompute: bool) -> torch.Tensor:
        blocked = [[i] for i in self.loaded.checkpoint.family.forbidden_ids]
        rows = _repeated(inputs, count) if recompute else inputs
        self.loaded.model.eval()
        with torch.inference_mode():
            made = self.loaded.model.generate(
                **rows,
                max_new_tokens=NEW_TOKENS,
                min_new_tokens=NEW_TOKENS,
                do_sample=True,
                num_return_sequences=1 if recompute else count,
                bad_words_ids=blocked,
                eos_token_id=None,
            )
        return made.clone()

    def _update_logits(self, inputs: dict[str, Any], ids: torch.Tensor, recompute: bool) -> torch.Tensor:
        model = self.loaded.model.train()
        count = len(ids)
        more = _repeated({k: v for k, v in inputs.items() if "pixel" in k or "grid" in k}, count)
        if not recompute:
            pixels, grid = inputs["pixel_values_videos"], inputs["video_grid_thw"]
            features = model.model.get_video_features(pixels, grid, return_dict=True)
            features.pooler_output = features.pooler_output * count
            if deep := getattr(features, "deepstack_features", None):
                features.deepstack_features = [layer * count for layer in deep]
            more = {"mm_encoder_outputs": {"video": features}, "video_grid_thw": more["video_grid_thw"]}
        types = (ids == self.loaded.checkpoint.family.video_token_id).int() * 2
        out = model(input_ids=ids, mm_token_type_ids=types, use_cache=False, logits_to_keep=NEW_TOKENS + 1, **more)
        kept: torch.Tensor = out.logits[:, :-1].clone()
        return kept

    def _learn(self, loss: torch.Tensor) -> None:
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def _processor_inputs(self) -> dict[str, Any]:
        (example, _), *_ = self.encoder.asked(self.item)
        ids = torch.from_numpy(example.prompt.ids_L)[None]
        ids = torch.cat([ids, torch.from_numpy(example.questions[0].ids_L)[None]], 1).to(self.policy.device)
        pixels = self.policy.pixels(example.root)
        grid = [sum(g[0] for g in pixels.grids), *pixels.grids[0][1:]]
        return {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "pixel_values_videos": pixels.values_NP,
            "video_grid_thw": torch.tensor([grid], device=ids.device),
            "mm_token_type_ids": (ids == self.loaded.checkpoint.family.video_token_id).int() * 2,
        }


def as_transformers_runs_it(loaded: Loaded) -> Loaded:
    """Return the same weights in a model that nothing of ours was switched on in."""
    from transformers import AutoModelForImageTextToText

    ours: Any = loaded.model
    path = loaded.checkpoint.path
    model = AutoModelForImageTextToText.from_pretrained(path, dtype=ours.dtype, attn_implementation="sdpa")
    return replace(loaded, model=model.to(ours.device).eval())


def _repeated(inputs: dict[str, Any], count: int) -> dict[str, Any]:
    return {name: value.repeat(count, *[1] * (value.ndim - 1)) for name, value in inputs.items()}


def make_step(num_pairs: int, group_size: int, plain: bool, family: str) -> Step:
    """A model with random weights, a clip of noise with 25 visual tokens a frame pair, and one question."""
    on_gpu = torch.cuda.is_available()
    folder = random_model(f"grpo-step-{'gpu' if on_gpu else 'cpu'}", ON_GPU if on_gpu else ON_CPU, family)
    loaded = load(str(folder), dtype="bfloat16" if on_gpu else "float32")
    if plain:
        loaded = as_transformers_runs_it(loaded)
    settings = GrpoSettings.model_validate(
        {
            "output": "unused", "steps": 1, "rewards": ["tiou"], "data": {"synth_seed": 0},
            "model": {"init": str(folder), "frozen": "tower"},
        }
    )  # fmt: skip
    one_is_enough = {"sampling": SamplingSettings(group_size=group_size)}  # to be timed; a run refuses it
    settings = settings.model_copy(update=one_is_enough)
    policy = GrpoModel(loaded, settings)
    builder = loaded.checkpoint.builder
    builder.end_id = -1  # every answer has its full length
    row = Row(id="q", video="v.mp4", duration=float(num_pairs), query="the red circle moves left", spans=[Span(1, 2)])
    optimizer = torch.optim.AdamW([p for p in policy.parameters() if p.requires_grad], lr=1e-6)
    encoder = Encoder(builder, loaded.checkpoint.family, PROFILE)
    return Step(loaded, policy, encoder, ClipRows(noise_clip(num_pairs), [row]), settings, optimizer)


@contextmanager
def peak_memory_mb() -> Iterator[list[float]]:
    """The most memory held inside, beyond what was held before, in MB."""
    found: list[float] = []
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        yield found
        found.append(torch.cuda.max_memory_allocated() / 2**20)
        return
    process, stop, seen = psutil.Process(), threading.Event(), [0]
    trim_memory()
    before = process.memory_info().rss

    def watch() -> None:
        while not stop.wait(0.02):
            seen[0] = max(seen[0], process.memory_info().rss - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    yield found
    stop.set()
    watcher.join()
    found.append(seen[0] / 2**20)


def measure(
    num_pairs: int, group_size: int, repeats: int, sides: tuple[str, ...], family: str
) -> dict[str, dict[str, float]]:
    """Seconds and memory of each side."""
    steps = {
        "shared": make_step(num_pairs, group_size, plain=False, family=family),
        "plain": make_step(num_pairs, group_size, plain=True, family=family),
    }
    calls: dict[str, Callable[[], None]] = {
        "kept": lambda: steps["shared"].shared(keep_prefix=True),
        "shared": lambda: steps["shared"].shared(keep_prefix=False),
        "plain": lambda: steps["plain"].plain(recompute=False),
        "recomputed": lambda: steps["plain"].plain(recompute=True),
    }
    chosen = {name: calls[name] for name in sides}
    memory: dict[str, float] = {}

    def watched(name: str) -> Callable[[], None]:
        def run() -> None:
            with peak_memory_mb() as peak:
                chosen[name]()
                if torch.cuda.is_available():
                    torch.cuda.synchronize()
            memory[name] = max(memory.get(name, 0.0), peak[0])

        return run

    timings = time_alternating({name: watched(name) for name in chosen}, repeats=repeats)
    return {
        name: {"wall_s": round(t.wall_s, 3), "cpu_s": round(t.cpu_s, 3), "peak_memory_mb": round(memory[name])}
        for name, t in timings.items()
    }


def draw_curve(path: Path, repeats: int, family: str) -> dict[str, Any]:
    """The ratio over prompt lengths (G = 8) and over group sizes (64 frame pairs), as a picture."""
    from matplotlib.figure import Figure

    colours = {"kept": "#4f9e6a", "shared": "#1f4e9c", "plain": "#c0504d"}
    sides = tuple(colours)
    by_pairs = {pairs: measure(pairs, 8, repeats, sides, family) for pairs in (16, 32, 64)}
    by_group = {count: measure(64, count, repeats, sides, family) for count in (1, 2, 4, 8)}
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    shown = (("frame pairs of 34 tokens, G = 8", by_pairs), ("answers G, 64 frame pairs", by_group))
    for place, (label, found) in enumerate(shown):
        axes = figure.add_subplot(1, 2, place + 1)
        for side, colour in colours.items():
            axes.plot(list(found), [f[side]["wall_s"] for f in found.values()], "o-", color=colour, label=side)
        axes.set(xlabel=label, ylabel="seconds a step", ylim=(0, None))
        axes.legend()
    figure.savefig(path, dpi=110)
    return {"by_pairs": by_pairs, "by_group": by_group}


def main() -> None:
    """Time all sides and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=64, help="frame pairs; 64 make a prompt of about 2,200 tokens")
    parser.add_argument("--group", type=int, default=8, help="answers to the question")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--family", choices=list(SHAPES), default=FIRST_SHAPE, help="the model type (random weights)")
    parser.add_argument("--curve", type=Path, help="also draw seconds over prompt length and group size")
    args = parser.parse_args()
    began = time.perf_counter()
    found = measure(args.pairs, args.group, args.repeats, ("kept", "shared", "plain", "recomputed"), args.family)
    alone = measure(args.pairs, 1, args.repeats, ("kept", "shared"), args.family)
    curve = draw_curve(args.curve, args.repeats, args.family) if args.curve else None
    step = make_step(args.pairs, 1, plain=False, family=args.family)
    (example, _), *_ = step.encoder.asked(step.item)
    print_result(
        "grpo_step",
        found["plain"]["wall_s"] / found["kept"]["wall_s"],
        found["kept"]["wall_s"],
        found["plain"]["wall_s"],
        ratios={
            side: {other: round(found[other]["wall_s"] / found[side]["wall_s"], 2) for other in ("plain", "recomputed")}
            for side in alone
        },
        step_over_group_of_one={side: round(found[side]["wall_s"] / one["wall_s"], 2) for side, one in alone.items()},
        sides=found,
        curve=curve,
        sizes={
            "prompt_tokens": len(example.prompt) + len(example.questions[0]),
            "family": args.family,
            "kernels": installed_kernels(),
            "group": args.group,
            "answer_tokens": NEW_TOKENS,
            "parameters_m": round(sum(p.numel() for p in step.policy.parameters()) / 1e6, 1),
        },
        versions=versions("torch", "transformers"),
        took_s=round(time.perf_counter() - began),
    )


if __name__ == "__main__":
    main()
