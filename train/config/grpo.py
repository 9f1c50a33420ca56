"""The settings of a GRPO run."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from timeground.cli.recipes import Settings
from timeground.errors import UserError
from timeground.models.sampling import OFF

from ..rewards import RewardSettings
from ..rollout.contrasts import Contrast, load_contrast
from .run import RunSettings


class SamplingSettings(Settings):
    """How answers are sampled."""

    group_size: int = Field(8, ge=1, description="answers to each question")
    temperature: float = Field(1.0, gt=0)
    """Of sampling; the loss takes log-probabilities at it."""
    max_new_tokens: int | None = Field(None, ge=1, description="null: the checkpoint's own limit")
    top_p: float = 1.0
    """Off, and stays off: the loss is of the whole distribution."""
    top_k: int = 0
    """Off, as `top_p`."""
    min_p: float = 0.0
    """Off, as `top_p`."""
    repetition_penalty: float = 1.0
    """Off, as `top_p`."""

    @model_validator(mode="after")
    def _draws_from_the_model(self) -> SamplingSettings:
        """Refuse what draws from another distribution than the one whose log-probabilities the loss takes."""
        for name, off in OFF.items():
            if getattr(self, name) != off:
                raise ValueError(
                    f"{name}: tokens would be drawn from another distribution than the loss has; leave it at {off:g}"
                )
        return self


class ContrastSettings(Settings):
    """A contrast in a recipe; a bare name stands for itself with as many answers as it asks for."""

    name: str
    """One of ``rollout/contrasts.py``, or ``package.module:NAME``."""
    answers: int | None = Field(None, ge=1, description="answers to each question about the changed clip")

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fits_together(self) -> ContrastSettings:
        try:
            entry = self.entry
        except UserError as error:
            raise ValueError(str(error)) from None
        if self.answers is not None and entry.is_trained:
            raise ValueError(f"answers {self.answers}: contrast {self.name} is answered by a group; leave it out")
        if self.answers not in (None, 1) and entry.is_greedy:
            raise ValueError(f"answers {self.answers}: contrast {self.name} is answered greedily; all would be alike")
        return self

    @property
    def entry(self) -> Contrast:
        """Return what the contrast does."""
        return load_contrast(self.name)

    def num_answers(self, group_size: int) -> int:
        """Return the answers to each question about the changed clip."""
        return group_size if self.entry.is_trained else self.answers or self.entry.num_answers


class LossSettings(Settings):
    """The objective."""

    normalisation: Literal["token", "sequence", "dr_grpo"] = "token"
    """`token` divides by the tokens of the whole update (DAPO; TRL's "bnpo" and "dapo"), `sequence` by each answer's
    tokens and then by the answers (GRPO), `dr_grpo` by answers times the longest answer allowed."""
    scale: Literal["group", "batch", "none"] = "group"
    """Advantages are divided by their group's standard deviation, by that of the whole batch, or not at all."""
    ratio: Literal["token", "sequence"] = "token"
    """Importance ratio of each token, or of the whole answer (GSPO)."""
    clip_low: float = Field(0.2, ge=0)
    """The importance ratio counts down to 1 - clip_low."""
    clip_high: float = Field(0.2, ge=0)
    """The importance ratio counts up to 1 + clip_high."""
    kl: float = Field(0.0, ge=0)
    """Weight of the k3 estimate of the divergence from the model that the run began with."""
    kl_corrected: bool = False
    """Weigh that term by the importance ratio, which makes its gradient unbiased (DeepSeek-V3.2); the published
    grounding trainers do not, TRL 1.16 does unless told otherwise."""
    difficulty_tau: float | None = Field(None, gt=0)
    """ArrowGEV's weight of a group, exp((1 - mean IoU) / tau); off by default, as in its script."""


class RolloutSettings(Settings):
    """Where answers are sampled, and what is done where its log-probabilities are not the trainer's."""

    engine: Literal["local", "vllm"] = "local"
    """`local` samples in the trainer, `vllm` on a server that `timeground serve --train` started on the model that the
    run starts from."""
    keep_prefix: bool = False
    """The local sampler's pass over a prompt is the update's too, which saves one but needs memory for the activations
    of all clips of a step."""
    url: str | None = None
    """The server's address, such as http://127.0.0.1:8000/v1; by default that in TIMEGROUND_ROLLOUT_URL."""
    shared_folder: str | None = None
    """A folder that both see; by default shared memory, where the server is on this machine."""
    transfer: Literal["file", "broadcast"] = "file"
    """The server reads weights from a file in that folder, or they are sent to it (an adapter is always a file)."""
    timeout_s: float = Field(600.0, gt=0, description="for one request")
    patience_s: float = Field(900.0, ge=0, description="how long a server may stay away")
    concurrency: int = Field(64, ge=1, description="requests made side by side")
    logprob_bound: float = Field(0.1, gt=0)
    """A token counts as off where the two log-probabilities differ by more."""
    truncated_importance_sampling: float | None = Field(None, gt=0)
    """Each token's loss is weighed by the ratio of the trainer's probability to the sampler's, at most this (Yao et al.
    2025, "Your efficient RL framework secretly brings you off-policy RL")."""


class PlateauSettings(Settings):
    """When to stop early: neither smoothed reward nor smoothed spread in groups has gained for `patience` steps."""

    patience: int = Field(50, ge=1)
    """Steps without a gain after which it stops."""
    min_gain: float = Field(0.005, ge=0)
    """A gain that is smaller counts as none."""
    smoothing: float = Field(0.9, ge=0, lt=1)
    """Of both curves: the share of its past that each value keeps."""


class RefilterSettings(Settings):
    """ArrowGEV's and Time-R1's rounds: every `every` steps keep the rows with low < IoU <= high."""

    every: int = Field(ge=1)
    """Steps between two rounds."""
    low: float = 0.0
    """Rows at or below this IoU are left out: too hard."""
    high: float = 0.7
    """Rows above it are left out: too easy."""
    max_rows: int = Field(2500, ge=1, description="of more, evenly spaced ones along the list sorted by IoU are kept")

    @model_validator(mode="after")
    def _holds_something(self) -> RefilterSettings:
        if not self.low < self.high or self.high <= 0 or self.low >= 1:
            raise ValueError(f"no row has {self.low:g} < IoU <= {self.high:g}; give low below high, within 0 to 1")
        return self


class GrpoSettings(RunSettings):
    """A run of reinforcement learning."""

    kind: Literal["grpo"] = "grpo"
    rewards: list[RewardSettings] = Field(min_length=1)
    """What answers earn, each with a weight; see docs/rewards.md."""
    sampling: SamplingSettings = SamplingSettings()
    contrasts: list[ContrastSettings] = Field([], description="changed clips that are answered too")
    rollout: RolloutSettings = RolloutSettings()
    loss: LossSettings = LossSettings()
    updates_per_rollout: int = Field(1, ge=1)
    """Updates of the weights from the same answers."""
    resample: int = Field(0, ge=0, description="times that a clip whose groups are all silent is replaced")
    plateau: PlateauSettings | None = None
    """When to stop early; null: after all steps."""
    refilter: RefilterSettings | None = None
    """Rounds that keep the rows of the right difficulty; null: all rows."""

    @model_validator(mode="before")
    @classmethod
    def _old_form(cls, tree: Any) -> Any:
        return in_new_form(tree) if isinstance(tree, dict) else tree

    @model_validator(mode="after")
    def _fits_together(self) -> GrpoSettings:
        names = [contrast.name for contrast in self.contrasts]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"contrasts: {twice} is listed twice; list it once, with the number of its answers")
        if self.sampling.group_size < 2:
            raise ValueError(
                "sampling.group_size 1: an answer is compared with the others to its question, and one alone would "
                "teach nothing; give 2 or more"
            )
        if not any(reward.weight for reward in self.rewards):
            raise ValueError("rewards all weigh 0, so nothing can be learnt; give one a weight")
        if self.model.frame_head:
            raise ValueError(
                "model.frame_head is trained in supervised runs; set it to 0 here, the export keeps the head"
            )
        if any(stage.looks for stage in self.data.all_stages):
            raise ValueError("looks of a stage are shown in supervised runs; here a method decides where to look")
        if self.refilter is not None and self.data.synth_seed is not None:
            raise ValueError("refilter needs data.rows or data.samples: rendered scenes do not come twice")
        if self.model.lora is not None and self.loss.kl and self.model.frozen != "vision":
            raise ValueError("loss.kl with model.lora compares with the adapters off; set model.frozen to vision")
        if self.rollout.keep_prefix and (why := self._another_pass()):
            raise ValueError(f"rollout.keep_prefix does not go with {why}, which reads the prompt again for the update")
        return self

    def _another_pass(self) -> str | None:
        """Return what makes the update's pass over a prompt another one than the sampler's."""
        found = {
            "rollout.engine: vllm": self.rollout.engine == "vllm",
            "updates_per_rollout above 1": self.updates_per_rollout > 1,
            "loss.kl": self.loss.kl > 0,
            "model.gradient_checkpointing": self.model.gradient_checkpointing,
            "model.lora.dropout": self.model.lora is not None and self.model.lora.dropout > 0,
            "engine.zero_stage 3": self.engine.zero_stage == 3,
        }
        return next((name for name, there in found.items() if there), None)

    @property
    def samples_answers(self) -> bool:
        """Return whether answers are sampled while it trains."""
        return True

    @property
    def group_size(self) -> int:
        """Return the number of answers to each question that are trained on together."""
        return self.sampling.group_size

    @property
    def answers_a_question(self) -> int:
        """Return the number of answers to each question, those about changed clips included."""
        return self.group_size + sum(contrast.num_answers(self.group_size) for contrast in self.contrasts)

    @property
    def versions_read(self) -> int:
        """Return the number of versions of each clip that are read: as it is, and changed."""
        return 1 + len(self.contrasts)

    @property
    def versions_trained(self) -> int:
        """Return the number of versions of each clip that are trained on."""
        return 1 + sum(contrast.entry.is_trained for contrast in self.contrasts)

    @property
    def prompt_passes(self) -> int:
        """Return how often the model reads a prompt in a step: to sample and to train, unless the first is kept."""
        return 1 if self.rollout.keep_prefix else 2

    @property
    def copies_the_model(self) -> bool:
        """Return whether the model that it began with is held beside the one that is trained."""
        return self.loss.kl > 0 and self.model.lora is None

    def longest_answer(self, profile_limit: int, true_answer: int) -> int:
        """Return the tokens of the longest answer that can be sampled, and so trained on."""
        return self.sampling.max_new_tokens or profile_limit

    def micro_batch_size(self, stage_size: int | None) -> int:
        """Return the clips of a micro-batch, which stages of rendered scenes do not change."""
        return self.videos_per_micro_batch

    def clips_needed(self, processes: int) -> int | None:
        """Return how many clips a run comes to; None where rounds or replacements decide."""
        return None if self.refilter or self.resample else super().clips_needed(processes)


def in_new_form(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe with `sampling.backward` and `sampling.shuffled` as one with contrasts that mean the same.

    Raise ValueError where there is none: the reward's `truth` had to agree with `backward`, and now follows from it.
    """
    sampling = tree.get("sampling")
    if not isinstance(sampling, dict) or not sampling.keys() & {"backward", "shuffled"}:
        return tree
    if tree.get("contrasts"):
        raise ValueError("sampling.backward and sampling.shuffled are contrasts now; keep what stands in contrasts")
    backward, shuffled = sampling.get("backward", "none"), sampling.get("shuffled", 0)
    rewards, truths = _without_truth(tree.get("rewards"))
    contrasts: list[Any] = [{"name": "shuffled", "answers": shuffled}] if shuffled else []
    if backward not in ("none", "greedy", "group"):
        raise ValueError(f"sampling.backward {backward!r} is contrasts now: reversed, reversed_groups, shuffled")
    if backward != "none":
        truth = "mirrored" if backward == "group" else "answer"
        if truths - {truth}:
            raise ValueError(
                f"sampling.backward {backward} with the direction reward's truth {min(truths - {truth})}: write "
                "contrasts: [reversed] to compare with a greedy answer, or [reversed_groups] with the mirrored truth"
            )
        contrasts.insert(0, "reversed_groups" if backward == "group" else "reversed")
    sampling = {key: value for key, value in sampling.items() if key not in ("backward", "shuffled")}
    return {**tree, "sampling": sampling, "contrasts": contrasts, "rewards": rewards}


def _without_truth(rewards: Any) -> tuple[Any, set[str]]:
    """Return rewards without the option `truth` of the direction reward, and what it was."""
    if not isinstance(rewards, list):
        return rewards, set()
    found, truths = [], set()
    for reward in rewards:
        named = {"name": reward} if isinstance(reward, str) else reward
        if isinstance(named, dict) and named.get("name") == "direction":
            options = dict(named.get("options") or {})
            truths.add(str(options.pop("truth", "answer")))
            named = {**named, "options": options}
        found.append(named)
    return found, truths
