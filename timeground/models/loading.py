"""Loads a model and its processor by Hub id, by folder, or by the name of the bundled model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch

from timeground.errors import UserError
from timeground.models.checkpoint_files import check_config, check_folder, check_loaded, check_template
from timeground.models.families import Family, family_of
from timeground.models.inputs import PromptBuilder
from timeground.models.local import packing as sharing
from timeground.models.local import towers as vision
from timeground.models.local.towers import Normalisation
from timeground.models.torchvision_repair import repair_torchvision

TINY = "tiny"


@dataclass(frozen=True)
class Loaded:
    """A model with what is needed to feed it."""

    model: Any
    processor: Any
    family: Family
    norm: Normalisation
    path: str
    revision: str | None = None

    def builder(self) -> PromptBuilder:
        """The prompt builder of this checkpoint."""
        nested = self.family.wraps_video(self.processor)
        return PromptBuilder(self.processor.tokenizer, self.processor.chat_template, self.family, nested=nested)


def resolve(name: str) -> str:
    """The folder or Hub id behind a name: ``tiny`` is the model that ships with the package."""
    if name == TINY:
        folder = Path(str(files("timeground") / "assets" / "tiny"))
        if not (folder / "config.json").is_file():
            raise UserError(f"the bundled model is not in {folder}; reinstall timeground")
        return str(folder)
    path = Path(name).expanduser()
    if path.is_dir() and not (path / "config.json").is_file():
        raise UserError(f"{name}: no config.json in this folder; give a model folder as save_pretrained writes it")
    if name.startswith((".", "/", "~")) and not path.is_dir():
        raise UserError(f"{name}: there is no such model folder")
    return str(path) if path.is_dir() else name


def load(
    name: str,
    *,
    dtype: str | torch.dtype = "auto",
    device: str | None = None,
    device_map: str | dict[str, Any] | None = None,
    attention: str = "auto",
    revision: str | None = None,
) -> Loaded:
    """Load a checkpoint for inference or training. Weights are read from safetensors only, code never.

    dtype: "auto" is bfloat16 on a GPU and float32 on a CPU. device: default the first GPU, else the CPU.
    device_map: transformers' placement over several devices (`device` is then ignored).
    attention: "auto" is ours (shared prefixes, chunked vision); another name is for the vision tower only.
    """
    repair_torchvision()
    from transformers import AutoConfig, AutoModelForImageTextToText

    path = resolve(name)
    if Path(path).is_dir():
        check_config(Path(path))
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    dtype = _dtype(dtype, device if device_map is None else "cuda")
    family = family_of(_or_user_error(AutoConfig.from_pretrained, path, revision), name)
    if Path(path).is_dir():
        check_folder(Path(path))
    processor = load_processor(path, revision)
    with _without_report():
        model, info = _or_user_error(
            AutoModelForImageTextToText.from_pretrained,
            path,
            revision,
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
    use_our_attention(model, attention)
    vision.use_linear_patches(model.model.visual)
    return Loaded(model.eval(), processor, family, normalisation(processor), path, revision)


def load_processor(path: str, revision: str | None = None) -> Any:
    """The checkpoint's own processor. UserError where its files are missing or damaged, or it has no chat template."""
    repair_torchvision()
    from transformers import AutoProcessor

    if Path(path).is_dir():
        check_folder(Path(path), weights=False)
    processor = _or_user_error(AutoProcessor.from_pretrained, path, revision)
    check_template(processor, path)
    return processor


@contextmanager
def _without_report() -> Iterator[None]:
    """Keep transformers' table of missing weights off the screen: `check_loaded` says it in one line."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(before)


def use_our_attention(model: Any, vision_attention: str = "auto") -> None:
    """Switch a model to the packed attention in its decoder and the chunked one in its vision tower."""
    sharing.register_attention()
    vision.register_attention()
    model.config.get_text_config()._attn_implementation = sharing.PACKED_ATTENTION
    model.model.visual.config._attn_implementation = (
        vision.CHUNKED_ATTENTION if vision_attention == "auto" else vision_attention
    )


def normalisation(processor: Any) -> Normalisation:
    """What the processor's video part does to pixel values."""
    video = processor.video_processor
    return Normalisation(tuple(video.image_mean), tuple(video.image_std))


def _dtype(dtype: str | torch.dtype, device: str) -> torch.dtype:
    if isinstance(dtype, torch.dtype):
        return dtype
    if dtype == "auto":
        return torch.float32 if device == "cpu" else torch.bfloat16
    found = getattr(torch, dtype, None)
    if not isinstance(found, torch.dtype):
        raise UserError(f"unknown dtype {dtype!r}; use auto, float32, bfloat16 or float16")
    return found


def _or_user_error(call: Any, path: str, revision: str | None, **options: Any) -> Any:
    """Call a ``from_pretrained``, and say in one line what is wrong with the model if it fails."""
    try:
        return call(path, revision=revision, **options)
    except Exception as error:  # damaged files make libraries fail in ways of their own
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"model {path!r} cannot be loaded: {reason}. Give 'tiny', a Hub id, or a folder with config.json, "
            "the processor files and safetensors weights"
        ) from error
