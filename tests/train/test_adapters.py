"""LoRA: each target is looked for in the model, and `all-linear` is all linear layers of the language model."""

from __future__ import annotations

import json

import pytest
import torch
from timeground.train.adapters import PEFT_PREFIX, add_lora, is_adapter, remarks_on_experts, save_adapter
from timeground.train.config import LoraSettings
from torch import nn

from timeground.cli.main import main
from timeground.errors import UserError
from timeground.models.loading import load


def adapted(folder: str, targets) -> set[str]:
    loaded = load(folder)
    add_lora(loaded.model, LoraSettings(rank=2, targets=targets), loaded.checkpoint.family)
    return names_of(loaded.model)


def names_of(model: nn.Module) -> set[str]:
    """The layers that have an adapter."""
    return {name.partition(".lora_")[0] for name, _ in model.named_parameters() if is_adapter(name)}


@pytest.mark.parametrize("targets", ["all-linear", ["all-linear"], ["q_proj", "all-linear"]])
def test_all_linear_is_every_linear_layer_of_the_language_model(qwen3_folder, targets):
    model = load(qwen3_folder).model
    expected = {n for n, part in model.named_modules() if isinstance(part, nn.Linear) and "language_model" in n}
    assert adapted(qwen3_folder, targets) == expected and len(expected) == 3 * 7


def test_a_target_is_a_name_or_the_end_of_a_path(qwen3_folder):
    found = adapted(qwen3_folder, ["layers.1.mlp.up_proj", "q_proj"])
    assert sorted(found) == [
        "model.language_model.layers.0.self_attn.q_proj", "model.language_model.layers.1.mlp.up_proj",
        "model.language_model.layers.1.self_attn.q_proj", "model.language_model.layers.2.self_attn.q_proj",
    ]  # fmt: skip


def test_by_default_linear_attention_gets_adapters_too(qwen3_5_folder):
    layers = {0: "linear_attn", 1: "linear_attn", 2: "self_attn"}
    mixing = {"linear_attn": ("in_proj_qkv", "in_proj_z", "out_proj"), "self_attn": [f"{n}_proj" for n in "qkvo"]}
    expected = {
        f"model.language_model.layers.{number}.{part}.{name}"
        for number, kind in layers.items()
        for part, names in ((kind, mixing[kind]), ("mlp", ("gate_proj", "up_proj", "down_proj")))
        for name in names
    }
    assert adapted(qwen3_5_folder, None) == expected


@pytest.mark.parametrize(("folder", "shared"), [("qwen3_moe_folder", False), ("qwen3_5_moe_folder", True)])
def test_experts_get_no_adapters_and_are_not_passed_over_in_silence(folder, shared, request, tmp_path):
    """By default nor by name; what happens to them is said, with their share of the weights."""
    path = request.getfixturevalue(folder)
    found = adapted(path, None)
    assert found and any("shared_expert." in name for name in found) == shared
    assert not any(".experts" in name for name in found)
    with pytest.raises(UserError, match="'gate_up_proj' are weights of experts, which get no adapters"):
        adapted(path, ["q_proj", "gate_up_proj"])
    model = load(path).model
    assert remarks_on_experts(load("tiny").model, True) == []
    (frozen,), (trained,) = (remarks_on_experts(model, has_lora) for has_lora in (True, False))
    assert "get no adapters" in frozen and "no loss is added" in trained


def test_the_family_says_where_layers_get_adapters(qwen3_folder, monkeypatch):
    """A family whose towers are called otherwise needs no other code, and the error names its module."""
    loaded = load(qwen3_folder)
    monkeypatch.setattr(type(loaded.checkpoint.family), "lora_module", "visual")
    with pytest.raises(UserError, match=r"'q_proj' is no layer of the visual; there are .*qkv"):
        add_lora(loaded.model, LoraSettings(rank=2, targets=["q_proj"]), loaded.checkpoint.family)
    add_lora(loaded.model, LoraSettings(rank=2, targets=["qkv"]), loaded.checkpoint.family)
    assert names_of(loaded.model) == {f"model.visual.blocks.{number}.attn.qkv" for number in (0, 1)}


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("q_prj", "'q_prj' is no layer"),
        ("proj", "'proj' is no layer"),
        ("qkv", "'qkv' is no layer"),  # of the vision tower
        (".*_proj", "is no layer"),
        ("self_attn", "'self_attn' is no linear layer"),
        ("q_norm", "'q_norm' is no linear layer"),
    ],
)
def test_one_wrong_target_among_right_ones_is_refused(qwen3_folder, target, words):
    with pytest.raises(UserError, match=r"there are q_proj, k_proj, v_proj, .*or all-linear") as told:
        adapted(qwen3_folder, ["q_proj", target, "v_proj"])
    assert words in str(told.value)


def test_check_and_run_refuse_it_alike(tmp_path, capsys):
    command = [
        "tiny-grpo",
        "model.init=tiny",
        "model.lora={rank: 4, targets: [q_proj, up]}",
        f"output={tmp_path / 'x'}",
    ]
    for kind in ("check", "grpo"):
        assert main(["train", kind, *command]) == 2
        assert "model.lora.targets: 'up' is no layer" in capsys.readouterr().err.splitlines()[-1]


def test_an_adapter_on_disk_is_what_peft_loads(qwen3_folder, tmp_path):
    from peft import PeftModel

    settings, loaded = LoraSettings(rank=2, targets=["all-linear"]), load(qwen3_folder)
    model = loaded.model
    add_lora(model, settings, loaded.checkpoint.family)
    torch.manual_seed(0)
    state = {n: torch.randn_like(p) for n, p in model.named_parameters() if is_adapter(n)}
    save_adapter(state, settings, tmp_path)
    assert json.loads((tmp_path / "adapter_config.json").read_text())["r"] == 2
    again = dict(PeftModel.from_pretrained(load(qwen3_folder).model, tmp_path).named_parameters())
    for name, value in state.items():
        assert torch.equal(again[PEFT_PREFIX + name], value)
