"""The settings of training runs, and the recipes that ship."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from timeground.cli.recipes import Settings, SettingsType, read_recipe
from timeground.models.families.qwen3_vl import FreshModel
from timeground.synth.world import Level

RECIPES = Path(__file__).parent / "recipes"


class LoraSettings(Settings):
    """Low-rank adapters instead of full weights.

    targets: names of the language model's linear layers that get one (``q_proj``, or ``layers.0.mlp.up_proj`` for a
    single one), or ``all-linear``. Each must be in the model.
    """

    rank: int = Field(16, ge=1)
    alpha: int = Field(32, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    targets: list[Annotated[str, Field(min_length=1)]] = Field(
        ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"], min_length=1
    )

    @field_validator("targets", mode="before")
    @classmethod
    def _one_name_is_a_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class ModelSettings(Settings):
    """Where the weights start. Either `init` (Hub id, folder or ``tiny``) or `fresh` (a new model's sizes)."""

    init: str | None = None
    fresh: FreshModel | None = None
    profile: dict[str, Any] = Field(default_factory=dict, description="changes to the checkpoint's profile")
    frozen: Literal["none", "tower", "vision"] = Field(
        "none", description="tower: the vision tower but for its mergers (TimeLens); vision: all of it"
    )
    gradient_checkpointing: bool = False
    lora: LoraSettings | None = None


def _range(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError(f"{list(value)} ends below its start; give [shortest, longest]")
    return value


Positive = Annotated[float, Field(gt=0)]
Range = Annotated[tuple[Positive, Positive], AfterValidator(_range)]
"""The shortest and the longest duration, in seconds."""


class SceneSettings(Settings):
    """Which scenes of SynthMoments. level: how much goes on in one."""

    durations_s: Range = (8.0, 60.0)
    level: Level = "full"


class StageSettings(Settings):
    """One stage of a run on SynthMoments: which scenes, and which questions about them.

    durations_s: each micro-batch draws from one of these in turn, so that its clips are of like length.
    kind_weights: how often each kind of row is asked, those that it does not name never; empty: all alike.
        ``kind:action`` is more special than ``kind``.
    level: how much goes on in a scene. snap: answers are the stamps nearest to the true times.
    videos_per_micro_batch: instead of the run's own, since short clips fit more to a batch.
    jitter_s: by how much labels are off: starts by a draw from (low, high), ends by one from a second (low, high).
    micro_batches: how long it lasts, counted over all processes; the last stage lasts to the end.
    """

    durations_s: list[Range] = Field([(8.0, 60.0)], min_length=1)
    kind_weights: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    level: Level = "full"
    snap: bool = False
    jitter_s: tuple[float, float, float, float] | None = None
    videos_per_micro_batch: int | None = Field(None, ge=1)
    micro_batches: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _fits_together(self) -> StageSettings:
        if self.kind_weights and not any(self.kind_weights.values()):
            raise ValueError("kind_weights are all 0; give some kind of row a weight, or leave them out")
        if self.jitter_s is not None and (self.jitter_s[0] > self.jitter_s[1] or self.jitter_s[2] > self.jitter_s[3]):
            raise ValueError(f"jitter_s {list(self.jitter_s)}: write [low, high] for starts, then [low, high] for ends")
        return self


class DataSettings(Settings):
    """What is trained on: rows of a file, the pipeline's samples, or scenes of SynthMoments rendered on the fly."""

    rows: str | None = None
    videos: str = "."
    samples: str | None = Field(None, description="samples/ of a pipeline run: its rows with frames already decoded")
    validation_rows: str | None = Field(None, description="rows to validate on, under the same video root")
    follow_links: bool = Field(False, description="videos may be links out of their root; else such a one is left out")
    leave_out_bad_rows: bool = Field(False, description="train without rows that contradict themselves or their files")
    snap: Literal["nearest", "outward"] | None = Field(None, description="move true spans to stamps (TimeLens-7B)")
    synth_seed: int | None = Field(None, ge=0)
    synth_stages: list[StageSettings] = Field([StageSettings()], min_length=1)
    validation_scenes: SceneSettings = Field(SceneSettings(), description="where no validation_rows are given")
    questions_per_video: int = Field(6, ge=1, description="rows of one video that share its prefix")
    image_share: float = Field(0.0, ge=0, le=1, description="share of clips given as stamped images")
    num_workers: int = Field(2, ge=0)

    @model_validator(mode="after")
    def _stages_end(self) -> DataSettings:
        for number, stage in enumerate(self.synth_stages[:-1]):
            if stage.micro_batches is None:
                raise ValueError(
                    f"synth_stages.{number}.micro_batches: say how long it lasts; only the last may be open"
                )
        return self


Beta = Annotated[float, Field(ge=0, lt=1)]


class OptimizerSettings(Settings):
    """Linear warm-up, then constant, linear or cosine decay to `final_lr_ratio`.

    decay_steps: only in the last so many steps the rate falls; in all after the warm-up where it is null.
    final_lr_ratio: what is left of the rate at the last step; where nothing is to be left it reaches 0 one step later,
    so that the last step learns something too.
    name `muon`: Muon for hidden matrices and AdamW for the rest, for a model made from nothing.
    """

    name: Literal["adamw", "muon"] = "adamw"
    lr: float = Field(1e-5, gt=0)
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    weight_decay: float = Field(0.0, ge=0)
    warmup_steps: int = Field(0, ge=0)
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    decay_steps: int | None = Field(None, ge=1)
    final_lr_ratio: float = Field(0.0, ge=0, le=1)
    max_grad_norm: float = Field(1.0, ge=0, description="gradients longer than this are cut to it; 0: never")


class EngineSettings(Settings):
    """How DeepSpeed runs it. precision `autocast`: float32 weights, bfloat16 arithmetic."""

    zero_stage: Literal[0, 1, 2, 3] = 0
    offload_optimizer: bool = False
    offload_parameters: bool = False
    precision: Literal["float32", "bfloat16", "autocast"] = "float32"


class RunSettings(Settings):
    """What every run has."""

    seed: int = Field(0, ge=0)
    output: str = Field(min_length=1)
    steps: int = Field(ge=1)
    videos_per_micro_batch: int = Field(1, ge=1)
    micro_batches: int = Field(1, ge=1, description="gradient accumulation: micro-batches an update, per process")
    save_every: int = Field(500, ge=1)
    keep_last: int = Field(2, ge=1)
    validate_every: int = Field(0, ge=0, description="0: never")
    validate_videos: int = Field(32, ge=1)
    model: ModelSettings
    data: DataSettings
    optimizer: OptimizerSettings = OptimizerSettings()
    engine: EngineSettings = EngineSettings()


class SftSettings(RunSettings):
    """A supervised run."""

    loss_reduction: Literal["token", "sequence", "square"] = Field(
        "token", description="a row weighs as its tokens, as one, or as the root of its tokens (TimeLens2)"
    )


def remarks(settings: RunSettings) -> list[str]:
    """What is put right in a recipe, and what is legal but hardly meant; one line each."""
    optimizer, found = settings.optimizer, []
    if optimizer.schedule != "constant" and optimizer.final_lr_ratio == 0:
        found.append("optimizer.final_lr_ratio 0: the rate reaches 0 one step after the last, so that it learns too")
    if optimizer.warmup_steps >= settings.steps > 1:
        found.append(f"optimizer.warmup_steps {optimizer.warmup_steps}: the run ends before its rate is reached")
    return found


def load_recipe(kind: type[SettingsType], recipe: str, overrides: Sequence[str] = ()) -> SettingsType:
    """The settings of a recipe (a file, or the name of one that ships) with ``a.b=value`` overrides."""
    return read_recipe(kind, RECIPES, recipe, overrides)[0]
