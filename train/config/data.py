"""The settings of the data: rows of a file, samples of the pipeline, or scenes of SynthMoments."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from timeground.cli.recipes import Settings
from timeground.synth.world import Level


def _range(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError(f"{list(value)} ends below its start; give [shortest, longest]")
    return value


Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Range = Annotated[tuple[Positive, Positive], AfterValidator(_range)]
"""The shortest and the longest duration, in seconds."""


class SceneSettings(Settings):
    """Which scenes of SynthMoments."""

    durations_s: Range = (8.0, 60.0)
    """Shortest and longest."""
    level: Level = "full"
    """How much goes on in a scene."""


class StageSettings(Settings):
    """One stage of a run on SynthMoments: which scenes, and which questions about them."""

    durations_s: list[Range] = Field([(8.0, 60.0)], min_length=1)
    """Each micro-batch draws from one of these in turn, so that its clips are of like length."""
    kind_weights: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """How often each kind of row is asked, those that it does not name never; empty: all alike. ``kind:action`` is more
    special than ``kind``."""
    windows_s: Range | None = None
    """Only a part of each scene is shown, of a length between these, evenly in its logarithm; null: all of it."""
    looks: float = Field(0.0, ge=0, le=1)
    """Share of clips whose moments are looked at closer, by tool calls, before they are told."""
    latest_s: float = Field(0.0, ge=0)
    """Half of the parts begin at a time up to this, evenly in its logarithm, as parts of long files do; others at 0."""
    fps: list[Positive] = Field([], description="frame rates to draw from; empty: the profile's")
    tokens_per_pair: list[Count] = Field([], description="largest visual tokens of a frame pair; empty: the profile's")
    level: Level = "full"
    """How much goes on in a scene."""
    snap: bool = False
    """Whether answers are the stamps nearest to the true times."""
    jitter_s: tuple[float, float, float, float] | None = None
    """By how much labels are off: starts by a draw from (low, high), ends by one from a second (low, high)."""
    videos_per_micro_batch: int | None = Field(None, ge=1)
    """Instead of the run's own, since short clips fit more to a batch."""
    questions_per_video: int | None = Field(None, ge=1)
    """Instead of the run's own, since of little that is seen little can be asked."""
    micro_batches: int | None = Field(None, ge=1)
    """How long it lasts, counted over all processes; the last stage lasts to the end."""
    in_turn_with: list[StageSettings] = Field([], description="other scenes and questions, each as often as its own")

    @model_validator(mode="after")
    def _fits_together(self) -> StageSettings:
        if self.kind_weights and not any(self.kind_weights.values()):
            raise ValueError("kind_weights are all 0; give some kind of row a weight, or leave them out")
        if self.looks and self.snap:
            raise ValueError("snap moves answers to the stamps of what was seen first, which looks are to improve on")
        if any(other.in_turn_with or other.micro_batches for other in self.in_turn_with):
            raise ValueError("in_turn_with: micro_batches and in_turn_with belong to the stage itself")
        if self.jitter_s is not None and (self.jitter_s[0] > self.jitter_s[1] or self.jitter_s[2] > self.jitter_s[3]):
            raise ValueError(f"jitter_s {list(self.jitter_s)}: write [low, high] for starts, then [low, high] for ends")
        return self


class DataSettings(Settings):
    """What is trained on: rows of a file, the pipeline's samples, or scenes of SynthMoments rendered on the fly."""

    rows: str | None = None
    """A file of rows to train on (JSONL or Parquet)."""
    videos: str = "."
    """The folder that the paths in the rows start from."""
    samples: str | None = Field(None, description="samples/ of a pipeline run: its rows with frames already decoded")
    validation_rows: str | None = Field(None, description="rows to validate on, under the same video root")
    follow_links: bool = Field(False, description="videos may be links out of their root; else such a one is left out")
    leave_out_bad_rows: bool = Field(False, description="train without rows that contradict themselves or their files")
    snap: Literal["nearest", "outward"] | None = Field(None, description="move true spans to stamps (TimeLens-7B)")
    synth_seed: int | None = Field(None, ge=0)
    """Train on rendered scenes of SynthMoments, drawn from this seed."""
    synth_stages: list[StageSettings] = Field([StageSettings()], min_length=1)
    """Which scenes, one stage after the other."""
    validation_scenes: SceneSettings = Field(SceneSettings(), description="where no validation_rows are given")
    questions_per_video: int = Field(6, ge=1, description="rows of one video that share its prefix")
    image_share: float = Field(0.0, ge=0, le=1, description="share of clips given as stamped images")
    num_workers: int = Field(2, ge=0)
    """Processes that decode or render ahead of each training process."""

    @property
    def most_questions(self) -> int:
        """Return the largest number of a video's rows that share its prefix."""
        return max(self.questions_per_video, *(stage.questions_per_video or 0 for stage in self.all_stages))

    @property
    def all_stages(self) -> list[StageSettings]:
        """Return the stages, with what has its turn in them."""
        return [one for stage in self.synth_stages for one in (stage, *stage.in_turn_with)]

    @model_validator(mode="after")
    def _fits_together(self) -> DataSettings:
        if [self.rows, self.samples, self.synth_seed].count(None) != 2:
            raise ValueError(
                "give one of data.rows (a file), data.samples (a folder of the data pipeline) and data.synth_seed "
                "(SynthMoments), and set the others to null"
            )
        for number, stage in enumerate(self.synth_stages[:-1]):
            if stage.micro_batches is None:
                raise ValueError(
                    f"synth_stages.{number}.micro_batches: say how long it lasts; only the last may be open"
                )
        return self
