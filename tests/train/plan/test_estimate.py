"""Estimates against what real models and engines hold: exact for weights and optimizer, within 5 % for activations."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from timeground.train.adapters import add_lora
from timeground.train.config import EngineSettings, GrpoSettings
from timeground.train.data.batches import pack
from timeground.train.data.render import ClipRows
from timeground.train.grpo.loss import Divisor, PolicyInputs
from timeground.train.grpo.model import GrpoModel
from timeground.train.optimizers import make_optimizer
from timeground.train.plan.dry_run import DryRun
from timeground.train.plan.estimate import answered
from timeground.train.plan.memory import Sizes, held
from timeground.train.plan.meter import Meter
from timeground.train.plan.pieces import PieceTokenizer
from timeground.train.plan.prompts import Prompts
from timeground.train.plan.shapes import shape_of

from tests.conftest import noise_clip
from tests.support.runs import alone
from tests.support.tiny_models import encoder_for
from timeground.chat.layout import TimeEncoding
from timeground.chat.prompts import PROMPTS, ground_prompt
from timeground.data.rows import Row
from timeground.models.loading import load
from timeground.models.local.delta_net import FULL, LINEAR, layer_types
from timeground.models.local.prefix_cache import PrefixCache
from timeground.models.local.roomy_layer import LEAST_ROOM
from timeground.models.local.towers import TowerStates
from timeground.models.sampling import AnswerTokens, SampleSpec

GROUP, LENGTH = 4, 12


@pytest.fixture(autouse=True)
def kernels_of_a_gpu(monkeypatch) -> None:
    """What is predicted is a GPU's memory: keys that heads share are repeated there."""
    monkeypatch.setattr("timeground.models.local.attention.kernels_share_keys", lambda _: False)


def settings(path: str, **model) -> GrpoSettings:
    small = {"prompt": "short", "min_tokens_per_pair": 4, "max_tokens_per_pair": 9, "total_tokens": 1080}
    return GrpoSettings.model_validate(
        {
            "output": "unused", "steps": 1, "rewards": ["tiou"], "data": {"rows": "unused", "questions_per_video": 2},
            "model": {"init": path, "frozen": "tower", "profile": small} | model,
        }
    )  # fmt: skip


def allocated_peak(call) -> int:
    """The most bytes that PyTorch held at once during a call, by its own profiler."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        kept = call()
    del kept
    now = peak = 0
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    for event in sorted(events, key=lambda e: e.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return peak


@pytest.mark.parametrize("family", ["qwen3", "qwen3_5", "qwen2_5"])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_activations_are_those_of_a_real_update(family, checkpointing, request):
    """Predicted on the meta device, measured on the CPU: kept for backward, and at the fullest moment."""
    recipe = settings(request.getfixturevalue(f"{family}_folder"))
    shape = shape_of(recipe.model)
    prompts, dry = Prompts(shape, recipe.data), DryRun(recipe, shape)
    examples = [answered(dry.with_states(e), GROUP, LENGTH) for e in prompts.examples(60.0, 2)]
    predicted = dry.update(examples, checkpointing)

    loaded = load(recipe.model.init or "", dtype="float32")
    model = GrpoModel(loaded, recipe).train()
    if checkpointing:
        loaded.model.gradient_checkpointing_enable({"use_reentrant": False})
    batch = pack([_with_numbers(e) for e in examples], (shape.family.image_token_id, shape.family.video_token_id))
    inputs = PolicyInputs(torch.randn(batch.num_answers))

    def update():
        model.objective(model(batch), batch, inputs, Divisor(100, 8, LENGTH))[0].backward()

    update()  # gradients are there before, as under DeepSpeed
    gc.collect()
    about = 0.08 if family == "qwen3_5" else 0.05  # where nodes stand is on the CPU already, and not copied there
    with Meter() as meter:
        loss = model.objective(model(batch), batch, inputs, Divisor(100, 8, LENGTH))[0]
        assert predicted.kept == pytest.approx(meter.now, rel=about)
        loss.backward()
    assert meter.peak == pytest.approx(allocated_peak(update), rel=0.01)
    assert predicted.peak == pytest.approx(allocated_peak(update), rel=about)


def _with_numbers(example):
    states = example.root.states
    real = TowerStates(
        torch.randn(states.last_NC.shape), tuple(torch.randn(d.shape) for d in states.deep),
        torch.randperm(len(states.order_V)),
    )  # fmt: skip
    return example.with_root(frames=torch.zeros(1, 3, 2, 2, dtype=torch.uint8), states=real)


@pytest.mark.parametrize("family", ["qwen3", "qwen3_5"])
def test_sampling_holds_what_a_real_rollout_holds(family, request):
    folder = request.getfixturevalue(f"{family}_folder")
    recipe = settings(folder)
    shape = shape_of(recipe.model)
    prompts, dry = Prompts(shape, recipe.data), DryRun(recipe, shape)
    example = dry.with_states(prompts.examples(60.0, 2)[0])
    predicted = dry.rollout(example, GROUP, LENGTH)
    model = GrpoModel(load(folder, dtype="float32"), recipe).eval()
    real = _with_numbers(example)

    def roll_out():
        with torch.no_grad():
            features = model.features(real.shown)
            cache = PrefixCache(model.model, real.prompt, features)
            endless = SampleSpec(GROUP, max_new_tokens=LENGTH), AnswerTokens(-1)
            return cache.answer(real.questions, *endless)

    assert predicted.peak == pytest.approx(allocated_peak(roll_out), rel=0.05)
    text = shape.config.get_text_config()
    tokens = len(example.prompt) + sum(len(q) + GROUP * LENGTH for q in example.questions)
    kinds = layer_types(model.model)
    each = 2 * kinds.count(FULL) * text.num_key_value_heads * text.head_dim * 4
    nodes = 2 + GROUP * len(example.questions)  # the prompt, the questions and each answer leave a state
    states = kinds.count(LINEAR) * nodes * _state_size(text) * 4 if LINEAR in kinds else 0
    held = predicted.kept - states
    assert each * tokens <= held <= each * (tokens + LEAST_ROOM) * 1.02


def _state_size(text) -> int:
    """Numbers in the state of a linear layer: what the convolution looks back on, and what is remembered."""
    keys, values = text.linear_num_key_heads, text.linear_num_value_heads
    channels = 2 * keys * text.linear_key_head_dim + values * text.linear_value_head_dim
    return (text.linear_conv_kernel_dim - 1) * channels + values * text.linear_key_head_dim * text.linear_value_head_dim


@pytest.mark.parametrize("frozen", ["tower", "vision"])
def test_a_kept_prompt_holds_what_a_real_one_holds(frozen, qwen3_folder):
    recipe = settings(qwen3_folder, frozen=frozen)
    shape = shape_of(recipe.model)
    dry = DryRun(recipe, shape)
    example = dry.with_states(Prompts(shape, recipe.data).examples(60.0, 2)[0])
    model, real = GrpoModel(load(qwen3_folder, dtype="float32"), recipe), _with_numbers(example)
    with Meter() as meter:
        prefix = PrefixCache(model.model, real.prompt, model.features(real.shown), keep=True)
        assert dry.kept_prompt(example) == pytest.approx(meter.now, rel=0.05) and prefix.kept


@pytest.mark.parametrize(
    "model",
    [{}, {"frozen": "vision"}, {"frozen": "none"}, {"lora": {"rank": 4}}],
    ids=["tower", "vision", "none", "lora"],
)
def test_weights_and_optimizer_are_counted_exactly(qwen3_folder, model):
    """One process without ZeRO: what torch itself holds after a step, but for each moment's step counter."""
    recipe = settings(qwen3_folder, **model)
    items = {item.name: item.gpu for item in held(Sizes.of(DryRun(recipe, shape_of(recipe.model)).model), recipe, 1)}
    loaded = load(qwen3_folder, dtype="float32")
    if recipe.model.lora:
        add_lora(loaded.model, recipe.model.lora, loaded.checkpoint.family)
    real = GrpoModel(loaded, recipe)
    optimizer = make_optimizer(real, recipe.optimizer, recipe.engine)
    for parameter in real.parameters():
        parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    optimizer.step()
    moments = [v for state in optimizer.state.values() for v in state.values() if v.ndim]
    assert items == {
        "weights, 4 bytes each": sum(p.nbytes for p in real.parameters()),
        "gradients, 4 bytes each": sum(p.grad.nbytes for p in real.parameters() if p.grad is not None),
        "moments of adamw, float32": sum(v.nbytes for v in moments),
    }


def test_more_processes_need_less_each_and_offloading_moves_to_the_host():
    sizes = Sizes(parameters=4 * 10**9, trained=3 * 10**9, largest=10**8, hidden=0)

    def needs(processes: int, **engine) -> tuple[int, int]:
        changed = EngineSettings(precision="bfloat16", **engine)
        items = held(sizes, settings("unused").model_copy(update={"engine": changed}), processes)
        return sum(i.gpu for i in items), sum(i.host for i in items)

    for stage in (1, 2, 3):
        alone_gpu, alone_host = needs(1, zero_stage=stage)
        shared_gpu, _ = needs(8, zero_stage=stage)
        offloaded_gpu, offloaded_host = needs(8, zero_stage=stage, offload_optimizer=True)
        assert alone_gpu > shared_gpu > offloaded_gpu and alone_host == 0 < offloaded_host
    both_gpu, _ = needs(8, zero_stage=3, offload_optimizer=True, offload_parameters=True)
    assert both_gpu == offloaded_gpu - 2 * sizes.parameters // 8
    assert needs(8, zero_stage=0) == needs(1, zero_stage=0)


MEASURE = """
import gc, json, sys
import torch
from timeground.train.runtime import distributed as engines
from timeground.train.config import EngineSettings, OptimizerSettings

class Toy(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.frozen = torch.nn.Linear(256, 256, bias=False).requires_grad_(False)
        self.up, self.down = torch.nn.Linear(256, 1024, bias=False), torch.nn.Linear(1024, 256, bias=False)
    def forward(self, x):
        return self.down(self.up(self.frozen(x))).square().mean()

def live():
    gc.collect()
    tensors = [t for o in gc.get_objects() if isinstance(o, torch.Tensor) for t in (o, o.grad) if t is not None]
    storages = [t.untyped_storage() for t in tensors if t.device.type == "cpu"]
    return sum({s._cdata: s.nbytes() for s in storages}.values())

zero = engines._zero
engines._zero = lambda e: {**zero(e), "reduce_bucket_size": 1000, "stage3_param_persistence_threshold": 0}
rank, _ = engines.init_distributed()
x, found, kept = torch.randn(2, 256, dtype=torch.bfloat16), {}, []
for stage in (0, 1, 2, 3):
    before = live()
    settings = EngineSettings(zero_stage=stage, precision="bfloat16")
    engine = engines.make_engine(Toy().to(torch.bfloat16), OptimizerSettings(), settings, 2, 1)
    kept.append(engine)
    for _ in range(2):
        for _ in range(2):
            engine.backward(engine(x))
            at_work = live() - before if engine.micro_steps % 2 == 0 else at_work
            engine.step()
    found[stage] = [live() - before, at_work]
if rank == 0:
    print("FOUND", json.dumps(found))
engines.leave_distributed()
"""


@pytest.mark.long
def test_zero_shares_out_what_the_rules_say(tmp_path):
    """Two processes of DeepSpeed in bfloat16: live tensors at rest and before a step, by ZeRO stage."""
    (tmp_path / "measure.py").write_text(MEASURE)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "measure.py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=alone(), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("FOUND")]
    sizes = Sizes(parameters=65536 + 524288, trained=524288, largest=262144, hidden=0)
    for stage, (at_rest, at_work) in json.loads(line.removeprefix("FOUND")).items():
        engine = EngineSettings(zero_stage=int(stage), precision="bfloat16")
        recipe = settings("unused").model_copy(update={"engine": engine})
        items = [i for i in held(sizes, recipe, 2) if "bytes each" in i.name or "float32" in i.name]
        rest = sum(i.gpu for i in items if "rollout" in i.phases)
        assert at_rest == pytest.approx(rest, rel=0.01), stage
        assert at_work == pytest.approx(sum(i.gpu for i in items if "update" in i.phases), rel=0.01), stage


def test_prompts_have_the_size_of_the_real_ones(qwen3_folder):
    """A clip of 60 s: as many frames and visual tokens as the encoder gives a real clip, and about as much text."""
    recipe = settings(qwen3_folder, profile={"prompt": "timelens", "total_tokens": 300})
    prompts = Prompts(shape_of(recipe.model), recipe.data)
    size = prompts.size(30.0)
    loaded = load(qwen3_folder)
    height, width = prompts.examples(30.0, 1)[0].frames.shape[2:]
    encoder = encoder_for(loaded, prompts.profile)
    row = Row(id="r", video="", duration=30.0, query="a man opens the door")
    ((example, _),) = encoder.asked(ClipRows(noise_clip(size.frames, height, width), [row]))
    visual = int((example.prompt.ids_L == loaded.checkpoint.family.video_token_id).sum())
    assert (size.frames, size.visual_tokens) == (len(example.frames), visual)
    assert prompts.profile.time_encoding is TimeEncoding.NATIVE
    assert size.tokens <= prompts.largest(30.0).tokens <= prompts.largest().tokens


@pytest.mark.realdata
@pytest.mark.skipif("TIMEGROUND_REALDATA" not in os.environ, reason="TIMEGROUND_REALDATA is not set")
def test_text_is_counted_as_qwens_tokenizer_counts_it():
    from tokenizers import Tokenizer

    real = Tokenizer.from_file(str(Path(os.environ["TIMEGROUND_REALDATA"]) / "qwen3-tokenizer" / "tokenizer.json"))
    texts = [ground_prompt(p, "a person in a red jacket opens the door and walks out") for p in PROMPTS.values()]
    texts += ["<|vision_end|><123.5 seconds><|vision_start|>", "The event happens in 12.5 - 17.8 seconds.", "10.2s"]
    for text in texts:
        assert len(PieceTokenizer(None).encode(text)) == pytest.approx(len(real.encode(text).ids), abs=1), text
