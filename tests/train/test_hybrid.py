"""A hybrid (Qwen3.5: linear attention in most layers) is trained as any other: adapters, shards, stops."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.support.runs import lines, run, run_grpo
from timeground.methods.grounder import Grounder

SHAPE = "model.shape=qwen3_5"


def weights(output: Path) -> dict[str, torch.Tensor]:
    return load_file(output / "model" / "model.safetensors")


@pytest.mark.parametrize("start", [run, run_grpo], ids=["sft", "grpo"])
def test_a_run_that_was_stopped_ends_as_an_undisturbed_one(start, tmp_path):
    """Bit for bit, metrics and weights; the exported model answers."""
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    for output, steps in ((whole, 4), (stopped, 2), (stopped, 4)):
        ended = start(output, SHAPE, f"steps={steps}", "save_every=2")
        assert ended.returncode == 0, ended.stderr
    assert (whole / "metrics.jsonl").read_bytes() == (stopped / "metrics.jsonl").read_bytes()
    assert all(torch.equal(a, b) for a, b in zip(weights(whole).values(), weights(stopped).values(), strict=True))
    assert any(".linear_attn." in name for name in weights(whole))
    Grounder.from_pretrained(str(whole / "model"))


@pytest.mark.parametrize(
    "changes",
    [
        ["model.lora={rank: 4}", "loss.kl=0.04", "model.frozen=vision"],
        ["rollout.keep_prefix=true", "engine.precision=autocast"],
        ["model.frozen=none", "engine.precision=bfloat16", "model.gradient_checkpointing=true"],
    ],
    ids=["lora", "kept", "bfloat16"],
)
def test_ways_to_train_by_rewards(changes, tmp_path):
    ended = run_grpo(tmp_path / "run", SHAPE, "steps=2", "model.fresh.num_layers=3", *changes)
    assert ended.returncode == 0, ended.stderr
    assert len(lines(tmp_path / "run")) == 2
    before, after = (load_file(tmp_path / "run" / part / "model.safetensors") for part in ("fresh", "model"))
    layer = "model.language_model.layers.0.linear_attn.in_proj_qkv.weight"
    assert not torch.equal(before[layer].bfloat16(), after[layer].bfloat16())


@pytest.mark.long
@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_two_processes_give_what_one_gives(stage, synth_folder, tmp_path):
    """The same clips dealt out to two processes lead to the same update, sharded or not."""
    rows = ["data.synth_seed=null", f"data.rows={synth_folder / 'annotations.jsonl'}", f"data.videos={synth_folder}"]
    one, two = tmp_path / "one", tmp_path / "two"
    engine = ["micro_batches=1", f"engine.zero_stage={stage}"]
    for output, changes, processes in ((one, ["micro_batches=2"], 1), (two, engine, 2)):
        ended = run_grpo(output, SHAPE, *rows, "steps=2", "loss.scale=batch", *changes, processes=processes)
        assert ended.returncode == 0, ended.stderr
    for a, b, rel in zip(lines(one), lines(two), (1e-4, 1e-3), strict=True):
        assert a["reward"] == pytest.approx(b["reward"], abs=1e-6)
        assert a["grad_norm"] == pytest.approx(b["grad_norm"], rel=rel)


@pytest.mark.parametrize("shape", ["qwen3_5", "qwen3_vl_moe"])
def test_a_new_model_of_another_shape_learns(shape, tmp_path):
    """Muon and packed rows, as the recipe of the bundled model has them."""
    ended = run(tmp_path / "run", f"model.shape={shape}")
    assert ended.returncode == 0, ended.stderr
    losses = [line["loss"] for line in lines(tmp_path / "run")]
    assert sum(losses[-4:]) < sum(losses[:4])


def test_a_checkpoint_has_its_own_shape(tmp_path):
    ended = run(tmp_path / "run", SHAPE, "model.fresh=null", "model.init=tiny")
    assert ended.returncode == 2 and "a checkpoint (model.init) has its own" in ended.stderr
    ended = run(tmp_path / "run", "model.shape=qwen9")
    assert ended.returncode == 2 and "new models are of qwen3_vl, qwen3_vl_moe, qwen3_5" in ended.stderr
