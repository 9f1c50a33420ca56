"""The settings of a GRPO run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from timeground.cli.recipes import Settings

from ..config import RunSettings
from ..rewards import RewardSettings


class SamplingSettings(Settings):
    """How answers are sampled. max_new_tokens: the checkpoint's own limit where it is null."""

    group_size: int = Field(8, ge=1, description="answers to each question")
    temperature: float = Field(1.0, gt=0)
    max_new_tokens: int | None = Field(None, ge=1)
    backward: Literal["none", "greedy", "group"] = Field(
        "none",
        description="answers on the reversed clip: one greedy answer (ArrowGEV), or a group that is trained on too",
    )
    shuffled: int = Field(0, ge=0, description="answers on the frame-shuffled clip (T-GRPO)")


class LossSettings(Settings):
    """The objective.

    normalisation: `token` divides by the tokens of the whole update (DAPO; TRL's "bnpo" and "dapo"), `sequence` by
    each answer's tokens and then by the answers (GRPO), `dr_grpo` by answers times the longest answer allowed.
    scale: advantages are divided by their group's spread, by that of the whole batch, or not at all.
    ratio: importance ratio of each token, or of the whole answer (GSPO).
    kl: weight of the k3 estimate of the divergence from the model that the run began with.
    kl_corrected: weigh that term by the importance ratio, which makes its gradient unbiased (DeepSeek-V3.2); the
    published grounding trainers do not, TRL 1.16 does unless told otherwise.
    difficulty_tau: ArrowGEV's weight of a group, exp((1 - mean IoU) / tau); off by default, as in its script.
    """

    normalisation: Literal["token", "sequence", "dr_grpo"] = "token"
    scale: Literal["group", "batch", "none"] = "group"
    ratio: Literal["token", "sequence"] = "token"
    clip_low: float = Field(0.2, ge=0)
    clip_high: float = Field(0.2, ge=0)
    kl: float = Field(0.0, ge=0)
    kl_corrected: bool = False
    difficulty_tau: float | None = Field(None, gt=0)


class RolloutSettings(Settings):
    """Where answers are sampled, and what is done where its log-probabilities are not the trainer's.

    engine: `local` samples in the trainer, `vllm` on a server that `timeground serve --train` started on the model
    that the run starts from. keep_prefix: the local sampler's pass over a prompt is the update's too, which saves
    one but needs memory for the activations of all clips of a step. url: the server's address, such as
    http://127.0.0.1:8000/v1; by default that in the environment variable TIMEGROUND_ROLLOUT_URL. shared_folder: a
    folder that both see; by default shared memory, where the server is on this machine. transfer: the server reads
    weights from a `file` in that folder, or they are sent to it by a `broadcast` (an adapter is always a file).
    timeout_s: for one request. patience_s: how long a server may stay away. concurrency: requests made side by
    side. logprob_bound: a token counts as off where the two log-probabilities differ by more.
    truncated_importance_sampling: each token's loss is weighed by the ratio of the trainer's probability to the
    sampler's, at most this (Yao et al. 2025, "Your efficient RL framework secretly brings you off-policy RL").
    """

    engine: Literal["local", "vllm"] = "local"
    keep_prefix: bool = False
    url: str | None = None
    shared_folder: str | None = None
    transfer: Literal["file", "broadcast"] = "file"
    timeout_s: float = Field(600.0, gt=0)
    patience_s: float = Field(900.0, ge=0)
    concurrency: int = Field(64, ge=1)
    logprob_bound: float = Field(0.1, gt=0)
    truncated_importance_sampling: float | None = Field(None, gt=0)


class PlateauSettings(Settings):
    """When to stop early: neither smoothed reward nor smoothed spread in groups has gained for `patience` steps."""

    patience: int = Field(50, ge=1)
    min_gain: float = Field(0.005, ge=0)
    smoothing: float = Field(0.9, ge=0, lt=1)


class RefilterSettings(Settings):
    """ArrowGEV's and Time-R1's rounds: every `every` steps keep the rows with low < IoU <= high."""

    every: int = Field(ge=1)
    low: float = 0.0
    high: float = 0.7
    max_rows: int = Field(2500, ge=1, description="of more, evenly spaced ones along the list sorted by IoU are kept")

    @model_validator(mode="after")
    def _holds_something(self) -> RefilterSettings:
        if not self.low < self.high or self.high <= 0 or self.low >= 1:
            raise ValueError(f"no row has {self.low:g} < IoU <= {self.high:g}; give low below high, within 0 to 1")
        return self


class GrpoSettings(RunSettings):
    """A run of reinforcement learning."""

    rewards: list[RewardSettings] = Field(min_length=1)
    sampling: SamplingSettings = SamplingSettings()
    rollout: RolloutSettings = RolloutSettings()
    loss: LossSettings = LossSettings()
    updates_per_rollout: int = Field(1, ge=1)
    resample: int = Field(0, ge=0, description="times that a clip whose groups are all silent is replaced")
    plateau: PlateauSettings | None = None
    refilter: RefilterSettings | None = None
    tracker: Literal["none", "trackio", "wandb", "tensorboard"] = "none"

    @model_validator(mode="after")
    def _fits_together(self) -> GrpoSettings:
        if not any(reward.weight for reward in self.rewards):
            raise ValueError("rewards all weigh 0, so nothing can be learnt; give one a weight")
        if self.refilter is not None and self.data.synth_seed is not None:
            raise ValueError("refilter needs data.rows or data.samples: rendered scenes do not come twice")
        if self.model.lora is not None and self.loss.kl and self.model.frozen != "vision":
            raise ValueError("loss.kl with model.lora compares with the adapters off; set model.frozen to vision")
        if self.rollout.keep_prefix and (why := self._another_pass()):
            raise ValueError(f"rollout.keep_prefix does not go with {why}, which reads the prompt again for the update")
        return self

    def _another_pass(self) -> str | None:
        """What makes the update's pass over a prompt another one than the sampler's."""
        found = {
            "rollout.engine: vllm": self.rollout.engine == "vllm",
            "updates_per_rollout above 1": self.updates_per_rollout > 1,
            "loss.kl": self.loss.kl > 0,
            "model.gradient_checkpointing": self.model.gradient_checkpointing,
            "model.lora.dropout": self.model.lora is not None and self.model.lora.dropout > 0,
            "engine.zero_stage 3": self.engine.zero_stage == 3,
        }
        return next((name for name, there in found.items() if there), None)
