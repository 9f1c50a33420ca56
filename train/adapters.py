"""Low-rank adapters (LoRA) in the module that the model's family names, through peft."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor, nn

from timeground.errors import UserError
from timeground.files.whole_files import make_folder, writing
from timeground.models.families import Family

from .config import LoraSettings

NAME = "default"
ALL_LINEAR = "all-linear"
PEFT_PREFIX = "base_model.model."
"""What peft's files put before a model's own names."""


def add_lora(model: nn.Module, settings: LoraSettings, family: Family) -> None:
    """Give linear layers of the module that the family names adapters, and freeze everything else.

    Raise UserError for a target that is no linear layer of it.
    """
    from peft import inject_adapter_in_model

    layers = _adapted(model, family.lora_module, settings.targets or family.lora_targets)
    inject_adapter_in_model(_config(settings, layers), model, adapter_name=NAME)


def _adapted(model: nn.Module, module: str, targets: Sequence[str]) -> list[str]:
    """Return names of the layers that get an adapter. Raise UserError for one that names none, which peft lets pass."""
    inside = {name: part for name, part in model.named_modules() if module in name.split(".")}
    linear = [name for name, part in inside.items() if isinstance(part, nn.Linear)]
    for target in targets:
        if target == ALL_LINEAR or any(_ends(name, target) for name in linear):
            continue
        there = ", ".join(dict.fromkeys(name.rpartition(".")[2] for name in linear))
        what = "is no linear layer" if any(_ends(name, target) for name in inside) else "is no layer"
        if any(_ends(name, target) for name, _ in _expert_weights(model)):
            what = "are weights of experts, which get no adapters: no linear layer"
        raise UserError(
            f"recipe: model.lora.targets: {target!r} {what} of the {module.replace('_', ' ')}; there are {there}, or "
            f"{ALL_LINEAR}"
        )
    return [name for name in linear if ALL_LINEAR in targets or any(_ends(name, target) for target in targets)]


def remarks_on_experts(model: nn.Module, has_lora: bool) -> list[str]:
    """Return what a run does with a model's experts, if it has any, in a line."""
    experts = _expert_weights(model)
    if not experts:
        return []
    share = sum(p.numel() for _, p in experts) / sum(p.numel() for p in model.parameters())
    if has_lora:
        return [f"model.lora: experts ({share:.0%} of the weights) get no adapters and stay as they are, as routers do"]
    return [
        f"all experts ({share:.0%} of the weights) and routers are trained; no loss is added that balances their load"
    ]


def _expert_weights(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """Return the weights of experts, which transformers keep as one parameter for all of a layer."""
    return [(name, p) for name, p in model.named_parameters() if ".experts." in name and p.ndim == 3]


def _ends(name: str, target: str) -> bool:
    return name.endswith(f".{target}")


def _config(settings: LoraSettings, layers: Sequence[str]) -> Any:
    from peft import LoraConfig

    names = "|".join(re.escape(name) for name in layers)
    return LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout, target_modules=f"({names})"
    )


@contextmanager
def without_lora(model: nn.Module) -> Iterator[None]:
    """Run the model as it was before training, its adapters switched off."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    layers = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
    for layer in layers:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)


def is_adapter(name: str) -> bool:
    """Return whether a parameter belongs to an adapter."""
    return ".lora_" in name


def save_adapter(state: dict[str, Tensor], settings: LoraSettings, folder: Path) -> None:
    """Write adapters (by their names in the model) as a folder of peft's form, which vLLM and peft load."""
    make_folder(folder)
    layers = [name.partition(".lora_A.")[0] for name in state if ".lora_A." in name]
    _config(settings, layers).save_pretrained(folder)
    named = {PEFT_PREFIX + name.replace(f".{NAME}.", "."): value for name, value in state.items()}
    with writing(folder / "adapter_model.safetensors") as part:
        save_file(named, part)


def merged(state: dict[str, Tensor], scale: float) -> dict[str, Tensor]:
    """Return a state dict with each adapter added into the layer that it adapts: ``W + scale * B A``."""
    plain: dict[str, Any] = {}
    for name, value in state.items():
        if is_adapter(name):
            continue
        if ".base_layer." not in name:
            plain[name] = value
            continue
        layer, leaf = name.split(".base_layer.")
        if leaf == "weight":
            down, up = (state[f"{layer}.lora_{side}.{NAME}.weight"].float() for side in "AB")
            value = (value.float() + scale * (up @ down)).to(value.dtype)
        plain[f"{layer}.{leaf}"] = value
    return plain
