"""Low-rank adapters (LoRA) in the language model, through peft."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from .config import LoraSettings

NAME = "default"


def add_lora(model: nn.Module, settings: LoraSettings) -> None:
    """Give the language model's linear layers adapters, and freeze everything else."""
    from peft import LoraConfig, inject_adapter_in_model

    targets = "|".join(settings.targets)
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=rf".*language_model.*\.({targets})",
    )
    inject_adapter_in_model(config, model, adapter_name=NAME)


@contextmanager
def without_lora(model: nn.Module) -> Iterator[None]:
    """The model as it was before training, its adapters switched off."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    layers = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
    for layer in layers:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)


def merged(state: dict[str, Tensor], scale: float) -> dict[str, Tensor]:
    """A state dict with each adapter added into the layer that it adapts: ``W + scale * B A``."""
    plain: dict[str, Any] = {}
    for name, value in state.items():
        if ".lora_" in name:
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
