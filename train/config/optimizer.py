"""The settings of the optimizer, its learning rate, and DeepSpeed's engine."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from timeground.cli.recipes import Settings

Beta = Annotated[float, Field(ge=0, lt=1)]


class OptimizerSettings(Settings):
    """The optimizer and its learning rate; `schedule.py` has the schedules."""

    name: Literal["adamw", "muon"] = "adamw"
    """`muon`: Muon for hidden matrices and AdamW for the rest, for a model made from nothing."""
    lr: float = Field(1e-5, gt=0)
    """The learning rate at its highest."""
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    """Of the running means of the gradient and of its square."""
    weight_decay: float = Field(0.0, ge=0)
    """Decoupled from the gradient, as in AdamW."""
    warmup_steps: int = Field(0, ge=0)
    """The rate grows linearly in these steps, whatever the schedule."""
    schedule: Literal["constant", "linear", "cosine", "wsd"] = "cosine"
    """How the rate goes after the warm-up; `wsd` is warm-up, stable, decay."""
    decay_steps: int | None = Field(None, ge=1)
    """The rate falls only in the last so many steps; in all after the warm-up where it is null."""
    final_lr_ratio: float = Field(0.0, ge=0, le=1)
    """What is left of the rate at the last step; 0 is reached one step later, so that the last step learns too."""
    max_grad_norm: float = Field(1.0, ge=0, description="gradients longer than this are cut to it; 0: never")

    @model_validator(mode="after")
    def _fits_together(self) -> OptimizerSettings:
        if self.schedule == "wsd" and self.decay_steps is None:
            raise ValueError("schedule wsd (warm-up, stable, decay) needs optimizer.decay_steps: in how many it falls")
        return self


class EngineSettings(Settings):
    """How DeepSpeed runs a model."""

    zero_stage: Literal[0, 1, 2, 3] = 0
    """What ZeRO splits among processes: 1 the optimizer, 2 gradients too, 3 the weights too; 0: nothing."""
    offload_optimizer: bool = False
    """Its states stay in the memory of the machine, not of the GPU."""
    offload_parameters: bool = False
    """The weights do (ZeRO stage 3)."""
    precision: Literal["float32", "bfloat16", "autocast"] = "float32"
    """`autocast`: float32 weights, bfloat16 arithmetic."""
