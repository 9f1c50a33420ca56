"""The settings that every run has, what a plan asks of them, and those of a supervised run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from timeground.cli.recipes import MethodName, Settings

from .data import DataSettings
from .model import ModelSettings
from .optimizer import EngineSettings, OptimizerSettings


class RunSettings(Settings):
    """What every run has. The properties say what its kind of training does; those of this class train on truth."""

    seed: int = Field(0, ge=0)
    """Of the order of rows, of new weights, and of what is sampled."""
    output: str = Field(min_length=1)
    """The run's folder."""
    steps: int = Field(ge=1)
    """Updates of the weights."""
    videos_per_micro_batch: int = Field(1, ge=1)
    """Clips in a forward pass of each process."""
    micro_batches: int = Field(1, ge=1, description="gradient accumulation: micro-batches an update, per process")
    save_every: int = Field(500, ge=1)
    """Steps between two checkpoints."""
    keep_last: int = Field(2, ge=1)
    """Checkpoints that are kept; older ones are removed."""
    validate_every: int = Field(0, ge=0, description="steps between two validations; 0: never")
    validate_videos: int = Field(32, ge=1)
    """At most so many videos are validated on."""
    method: MethodName = Field("direct", description="how the model is asked: a name, or package.module:Name")
    tracker: Literal["none", "trackio", "wandb", "tensorboard"] = "none"
    """Where curves are sent beside the files of the run."""
    model: ModelSettings
    data: DataSettings
    optimizer: OptimizerSettings = OptimizerSettings()
    engine: EngineSettings = EngineSettings()

    @model_validator(mode="after")
    def _optimizer_fits(self) -> RunSettings:
        optimizer = self.optimizer
        if optimizer.name == "muon" and self.engine.zero_stage:
            raise ValueError("optimizer.name muon needs whole matrices; set engine.zero_stage 0, or choose adamw")
        falling = optimizer.decay_steps or 0
        if optimizer.schedule == "wsd" and optimizer.warmup_steps + falling > self.steps:
            raise ValueError(
                f"optimizer: {optimizer.warmup_steps} warmup_steps and {falling} decay_steps are more than the "
                f"{self.steps} steps of the run"
            )
        return self

    @property
    def samples_answers(self) -> bool:
        """Return whether answers are sampled while it trains."""
        return False

    @property
    def group_size(self) -> int:
        """Return the number of answers to each question that are trained on together."""
        return 1

    @property
    def answers_a_question(self) -> int:
        """Return the number of answers to each question, those about changed clips included."""
        return 1

    @property
    def versions_read(self) -> int:
        """Return the number of versions of each clip that are read: as it is, and changed."""
        return 1

    @property
    def versions_trained(self) -> int:
        """Return the number of versions of each clip that are trained on."""
        return 1

    @property
    def prompt_passes(self) -> int:
        """Return how often the model reads a prompt in a step."""
        return 1

    @property
    def copies_the_model(self) -> bool:
        """Return whether the model that it began with is held beside the one that is trained."""
        return False

    def longest_answer(self, profile_limit: int, true_answer: int) -> int:
        """Return the tokens of the longest answer that is trained on.

        profile_limit: that of the checkpoint's profile. true_answer: tokens of a true one.
        """
        return true_answer

    def micro_batch_size(self, stage_size: int | None) -> int:
        """Return the clips of a micro-batch. stage_size: what a stage of rendered scenes asks for."""
        return stage_size or self.videos_per_micro_batch

    def clips_needed(self, processes: int) -> int | None:
        """Return how many clips a run comes to; None where that cannot be told from its number of steps."""
        return self.steps * self.micro_batches * self.videos_per_micro_batch * processes


class SftSettings(RunSettings):
    """A supervised run."""

    kind: Literal["sft"] = "sft"
    loss_reduction: Literal["token", "sequence", "square"] = Field(
        "token", description="a row weighs as its tokens, as one, or as the root of its tokens (TimeLens2)"
    )
    compile: bool = Field(False, description="layers go through torch.compile: slow first steps, faster ones after")


def remarks(settings: RunSettings) -> list[str]:
    """Return what is put right in a recipe, and what is legal but hardly meant; one line each."""
    optimizer, found = settings.optimizer, []
    if optimizer.schedule != "constant" and optimizer.final_lr_ratio == 0:
        found.append("optimizer.final_lr_ratio 0: the rate reaches 0 one step after the last, so that it learns too")
    if optimizer.warmup_steps >= settings.steps > 1:
        found.append(f"optimizer.warmup_steps {optimizer.warmup_steps}: the run ends before its rate is reached")
    return found
