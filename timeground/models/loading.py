"""Loads the weights of a checkpoint, and switches the model to our attention."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from timeground.errors import UserError
from timeground.models.checkpoint import Checkpoint, or_user_error
from timeground.models.checkpoint_files import check_folder, check_loaded
from timeground.models.downloading import bring_weights
from timeground.models.local import packing as sharing
from timeground.models.local import towers as vision
from timeground.models.local.delta_net import has_states, say_what_is_slow, use_forked_states
from timeground.models.local.linear import use_onednn


@dataclass(frozen=True)
class Loaded:
    """A model with its weights."""

    checkpoint: Checkpoint
    model: Any
    """Of transformers' own class."""


def load(name: str, *, revision: str | None = None, **options: Any) -> Loaded:
    """Open a checkpoint by its name and load it. options: of `load_weights`."""
    return load_weights(Checkpoint.open(name, revision=revision), **options)


def load_weights(
    checkpoint: Checkpoint,
    *,
    dtype: str | torch.dtype = "auto",
    device: str | None = None,
    device_map: str | dict[str, Any] | None = None,
    attention: str = "auto",
) -> Loaded:
    """Load a checkpoint for inference or training. Weights are read from safetensors only, code never.

    dtype: "auto" is bfloat16 on a GPU and float32 on a CPU. device: default the first GPU, else the CPU.
    device_map: transformers' placement over several devices (`device` is then ignored).
    attention: "auto" is ours (shared prefixes, chunked vision); another name is for the vision tower only.
    """
    from transformers import AutoModelForImageTextToText

    path = checkpoint.path
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    dtype = as_dtype(dtype, device if device_map is None else "cuda")
    if Path(path).is_dir():
        check_folder(Path(path))
    _ = checkpoint.processor  # one that cannot be read is told before the weights are
    bring_weights(path, checkpoint.revision)
    model, info = or_user_error(
        AutoModelForImageTextToText.from_pretrained,
        path,
        checkpoint.revision,
        dtype=dtype,
        device_map=device_map,
        use_safetensors=True,
        attn_implementation="sdpa",
        output_loading_info=True,
        ignore_mismatched_sizes=True,
    )
    check_loaded(info, path)
    if device_map is None:
        model = model.to(device)
    make_ours(model, attention)
    if has_states(model):
        say_what_is_slow()
    return Loaded(checkpoint, model.eval())


def make_ours(model: Any, vision_attention: str = "auto") -> None:
    """Switch a model to what runs on packed rows in its decoder, in chunks in its vision tower, and on fast products.

    vision_attention: "auto" is ours; another name is transformers' of that name.
    """
    sharing.register_attention()
    vision.register_attention()
    model.config.get_text_config()._attn_implementation = sharing.PACKED_ATTENTION
    model.model.visual.config._attn_implementation = (
        vision.CHUNKED_ATTENTION if vision_attention == "auto" else vision_attention
    )
    vision.use_linear_patches(model.model.visual)
    use_forked_states(model)
    use_onednn(model)


def as_dtype(dtype: str | torch.dtype, device: str) -> torch.dtype:
    """Return the dtype of a name; "auto" is bfloat16 on a GPU and float32 on a CPU. Raise UserError for others."""
    if isinstance(dtype, torch.dtype):
        return dtype
    if dtype == "auto":
        return torch.float32 if device == "cpu" else torch.bfloat16
    found = getattr(torch, dtype, None)
    if not isinstance(found, torch.dtype):
        raise UserError(f"unknown dtype {dtype!r}; use auto, float32, bfloat16 or float16")
    return found
