"""The settings of the model: where its weights start, and which of them are trained."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from timeground.cli.recipes import Settings
from timeground.models.families.new_models import FIRST_SHAPE, SHAPES, FreshModel


class LoraSettings(Settings):
    """Low-rank adapters instead of full weights."""

    rank: int = Field(16, ge=1)
    """Of the two matrices that are added to each layer."""
    alpha: int = Field(32, ge=1)
    """What is added is multiplied by alpha / rank."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the inputs of an adapter that are left out while it trains."""
    targets: list[Annotated[str, Field(min_length=1)]] | None = Field(None, min_length=1)
    """Names of the language model's linear layers that get one (``q_proj``, or ``layers.0.mlp.up_proj`` for a single
    one), or ``all-linear``. Each must be in the model. None: those of attention, linear attention and MLPs."""

    @field_validator("targets", mode="before")
    @classmethod
    def _one_name_is_a_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class ModelSettings(Settings):
    """Where the weights start: either `init` or `fresh`."""

    init: str | None = None
    """Hub id, folder or ``tiny``."""
    fresh: FreshModel | None = None
    """Sizes of a new model."""
    shape: str = FIRST_SHAPE
    """The model type of a new model."""
    profile: dict[str, Any] = Field(default_factory=dict, description="changes to the checkpoint's profile")
    frozen: Literal["none", "tower", "vision"] = Field(
        "none", description="tower: the vision tower but for its mergers (TimeLens); vision: all of it"
    )
    frame_head: float = Field(0.0, ge=0, description="weight of the loss of a text-to-frame head, trained beside")
    gradient_checkpointing: bool = False
    """Activations are computed again in the backward pass: less memory, more time."""
    lora: LoraSettings | None = None
    """Adapters are trained instead of all weights; null: all weights."""

    @field_validator("shape")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in SHAPES:
            raise ValueError(f"model.shape {value!r}: new models are of {', '.join(SHAPES)}")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> ModelSettings:
        if (self.init is None) == (self.fresh is None):
            raise ValueError("give either model.init (a checkpoint) or model.fresh (sizes of a new one)")
        if self.init is not None and self.shape != FIRST_SHAPE:
            raise ValueError("model.shape is the kind of a new model; a checkpoint (model.init) has its own")
        if self.lora is not None and self.frozen == "none":
            raise ValueError("model.lora adapts the language model; set model.frozen to tower or vision")
        return self
