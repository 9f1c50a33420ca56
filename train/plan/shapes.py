"""What a recipe's model looks like, without its weights: from a shipped shape file, a folder, or a recipe's sizes."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import yaml

from timeground.chat.profile import Profile
from timeground.errors import UserError
from timeground.models.checkpoint import Checkpoint
from timeground.models.families.new_models import new_config
from timeground.models.inputs import PromptBuilder
from timeground.models.loading import Loaded, make_ours
from timeground.models.local.towers import Normalisation
from timeground.models.names import resolve
from timeground.models.torchvision_repair import repair_torchvision

from ..config import RECIPES, ModelSettings
from ..fresh import make_tokenizer
from .pieces import PieceTokenizer

SHAPES = RECIPES / "shapes"


@dataclass(frozen=True)
class Shape(Checkpoint):
    """A checkpoint of which no file is read but its configuration; what its processor does is stood in for."""

    warning: str = ""
    """What the user should know of its origin."""

    @cached_property
    def builder(self) -> PromptBuilder:
        """Return what lays out prompts whose texts are counted in pieces, as the newest transformers would."""
        nested = self.family.wraps_video(None)
        return PromptBuilder(PieceTokenizer(self.family), None, self.family, nested=nested)

    @cached_property
    def norm(self) -> Normalisation:
        """Return any values: how pixels are normalised takes no memory."""
        return Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))

    def model(self, dtype: torch.dtype) -> Loaded:
        """Return the model on the meta device, where tensors have shapes and no numbers, switched to our attention."""
        from transformers import AutoModelForImageTextToText

        model_class: Any = AutoModelForImageTextToText
        with torch.device("meta"):
            model = model_class.from_config(self.config, dtype=dtype, attn_implementation="sdpa")
        make_ours(model)
        return Loaded(self, model)


def shape_names() -> list[str]:
    """Return the shapes that ship."""
    return sorted(path.stem for path in SHAPES.glob("*.json"))


def shape_of(settings: ModelSettings, chosen: str | None = None) -> Shape:
    """Return the shape of a recipe's model, its profile changed as the recipe says.

    chosen: name of a shipped shape to take instead. A folder that is not there yet gets the shape of the shipped
    recipe that writes it. Raise UserError for mistakes that a run would refuse too, and where no shape is known.
    """
    repair_torchvision()
    shape = _shipped(chosen, settings.init or "") if chosen else _found(settings)
    return shape.asked_as(None, settings.profile)


def _found(settings: ModelSettings) -> Shape:
    if settings.fresh is not None:
        config = new_config(make_tokenizer(settings.fresh.vocab_size), settings.fresh, settings.shape)
        return Shape.of(config, "model.fresh", "model.fresh").with_profile(Profile())
    name = settings.init or ""
    if (shipped := _hub_ids().get(name)) is not None:
        return _shipped(shipped, name)
    if (recipe := _writer_of(name)) is not None and not Path(name).expanduser().is_dir():
        shape = shape_of(recipe[1])
        return replace(
            shape, warning=f"{name}: not there yet; the recipe {recipe[0]} writes it, so its model is counted"
        )
    return _local(name)


def _local(name: str) -> Shape:
    """Return the configuration in a folder, or of a model in transformers' cache; nothing is downloaded."""
    from transformers import AutoConfig

    path = resolve(name)
    try:
        config = AutoConfig.from_pretrained(path, local_files_only=True)
    except (OSError, ValueError) as error:
        raise UserError(
            f"model.init {name!r}: neither a folder with a config.json nor a model whose shape ships; name a like "
            f"one with --shape ({', '.join(shape_names())})"
        ) from error
    return Shape.of(config, name, path)


def _shipped(shape: str, name: str) -> Shape:
    """Return the shape of a shipped file; `name` is the model whose profile goes with it."""
    from transformers import AutoConfig

    if shape not in shape_names():
        raise UserError(f"--shape {shape!r}: no such shape; there are: {', '.join(shape_names())}")
    fields = _read(SHAPES / f"{shape}.json")
    config = AutoConfig.for_model(**{name: value for name, value in fields.items() if name != "_about"})
    return Shape.of(config, shape, name)


def _hub_ids() -> dict[str, str]:
    """Return which shape the models of the Hub have that the shape files name."""
    return {name: path.stem for path in SHAPES.glob("*.json") for name in _read(path)["_about"]["hub_ids"]}


def _read(path: Path) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return fields


def _writer_of(folder: str) -> tuple[str, ModelSettings] | None:
    """Return the shipped recipe that leaves its model in a folder, and that recipe's own model."""
    for path in sorted(RECIPES.glob("*.yaml")):
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
        if "phases" not in tree and Path(folder) in (Path(tree["output"]) / "model", Path(tree["output"]) / "best"):
            return path.stem, ModelSettings.model_validate(tree["model"])
    return None
