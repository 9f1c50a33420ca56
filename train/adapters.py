"""Low-rank adapters (LoRA) in the language model, through peft."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor, nn

from .config import LoraSettings

NAME = "default"
PEFT_PREFIX = "base_model.model."
"""What peft's files put before a model's own names."""


def add_lora(model: nn.Module, settings: LoraSettings) -> None:
    """Give the language model's linear layers adapters, and freeze everything else."""
    from peft import inject_adapter_in_model

    inject_adapter_in_model(_config(settings), model, adapter_name=NAME)


def _config(settings: LoraSettings) -> Any:
    from peft import LoraConfig

    targets = "|".join(settings.targets)
    return LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=rf".*language_model.*\.({targets})",
    )


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


def is_adapter(name: str) -> bool:
    """Whether a parameter belongs to an adapter."""
    return ".lora_" in name


def save_adapter(state: dict[str, Tensor], settings: LoraSettings, folder: Path) -> None:
    """Write adapters (by their names in the model) as a folder of peft's form, which vLLM and peft load."""
    folder.mkdir(parents=True, exist_ok=True)
    _config(settings).save_pretrained(folder)
    named = {PEFT_PREFIX + name.replace(f".{NAME}.", "."): value for name, value in state.items()}
    part = folder / f".{os.getpid()}.part"
    save_file(named, part)
    os.replace(part, folder / "adapter_model.safetensors")


def merged(state: dict[str, Tensor], scale: float) -> dict[str, Tensor]:
    """A state dict with each adapter added into the layer that it adapts: ``W + scale * B A``."""
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
