"""Methods: ways of finding answers about a video with a model. Programs ask models through one of them.

A method is made for one video (or a window of it) and asked any number of times; what it has read, it keeps. A second
one is one file with one class; CONTRIBUTING says how.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Self

from timeground.chat.evidence import Evidence
from timeground.chat.prompts import PromptSet, row_answer
from timeground.chat.trajectory import Trajectory, Turn
from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.media.clip import Clip
from timeground.media.sampling import Sampling
from timeground.media.video import Video
from timeground.models.base import Model
from timeground.models.sampling import SampleSpec
from timeground.scoring import ParsedAnswer
from timeground.spans import Span


@dataclass(frozen=True)
class Proposal:
    """A span that was proposed in a look."""

    span: Span
    score: float
    """How likely it is right."""
    evidence: Evidence

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"span": self.span.to_list(), "score": self.score, "evidence": dict(self.evidence)}


@dataclass(frozen=True)
class Look:
    """One time that a model was shown a part of the video."""

    window: Span
    """In seconds of the file."""
    num_frames: int
    visual_tokens: int
    """Tokens that the frames take in the prompt."""
    seconds: float = field(default=0.0, compare=False)
    """How long reading and encoding them took."""
    score: float | None = None
    """What the method made of it, where it ranks looks."""
    parent: int | None = None
    """The number of the look that led to it."""
    is_draft: bool = False
    """Whether a draft model took it, to choose what the model itself looks at."""
    why: Evidence = field(default_factory=dict)
    """What spoke for the window before it was looked at."""
    evidence: Evidence = field(default_factory=dict)
    """What speaks for it now."""
    found: tuple[Proposal, ...] = ()
    """The spans that were proposed there."""

    @classmethod
    def at(cls, clip: Clip, sampling: Sampling, seconds: float, **more: Any) -> Look:
        """Return the look at a clip. sampling: by which a model wants its frames."""
        pairs, (height, width) = (clip.num_frames + 1) // 2, clip.frames.shape[2:]
        tokens = pairs * (height // sampling.factor) * (width // sampling.factor)
        return cls(Span(clip.start_s, clip.end_s), clip.num_frames, tokens, seconds, **more)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data, without its seconds; what only searches have where they have it."""
        told: dict[str, Any] = {
            "window": self.window.to_list(),
            "num_frames": self.num_frames,
            "visual_tokens": self.visual_tokens,
            "score": self.score,
            "parent": self.parent,
        }
        if self.is_draft:
            told["draft"] = True
        for name in ("why", "evidence"):
            if signs := getattr(self, name):
                told[name] = dict(signs)
        if self.found:
            told["found"] = [one.to_json() for one in self.found]
        return told


@dataclass(frozen=True)
class Trace:
    """What an answer took."""

    looks: tuple[Look, ...] = ()
    num_calls: int = 0
    """How many answers the model was asked for."""

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data, without the seconds, which are others each time."""
        return {"looks": [look.to_json() for look in self.looks], "num_calls": self.num_calls}

    @property
    def visual_tokens(self) -> int:
        """Return how many visual tokens were read, a draft's too."""
        return sum(look.visual_tokens for look in self.looks)


NO_TRACE = Trace()


@dataclass(frozen=True)
class Outcome:
    """What a method answers to a row."""

    answer: ParsedAnswer
    """Spans are in seconds of the file; this is what is scored."""
    confidence: float | None = None
    """How sure it is, from 0 to 1, as `Method.confidence` says; None where that is not known."""
    trajectories: tuple[Trajectory, ...] = ()
    """The conversations that led to it."""
    trace: Trace = NO_TRACE
    origin_s: float = 0.0
    """The second of the file that the answer's text calls 0."""
    raw_confidence: float | None = None
    """How sure it is before any scale is put on it, to fit one; None where `confidence` is on none."""

    @property
    def turn(self) -> Turn:
        """Return the last sampled turn of its first conversation. Raise UserError where nothing was sampled."""
        turns = self.trajectories[0].turns if self.trajectories else ()
        found = next((turn for turn in reversed(turns) if turn.is_sampled), None)
        if found is None:
            raise UserError("the method sampled no answer")
        return found

    @property
    def failure(self) -> str | None:
        """Return why a server sent no answer that can be read; None where all were read."""
        turns = (turn for trajectory in self.trajectories for turn in trajectory.turns)
        return next((turn.failure for turn in turns if turn.failure), None)

    @property
    def num_tokens(self) -> int:
        """Return how many tokens were sampled for it, as far as that is told."""
        return sum(turn.num_tokens for one in self.trajectories for turn in one.turns if turn.is_sampled)

    @property
    def finished(self) -> bool:
        """Return False where an answer was cut off at the token limit."""
        return all(one.status != "cut" for one in self.trajectories)


class Method(ABC):
    """A way of finding answers, at work on one video."""

    name: ClassVar[str]
    looks_once: ClassVar[bool] = True
    """Whether it reads `clip`, so that a program may decode that ahead; False where it reads parts of its own."""
    options: ClassVar[Any] = None
    """A dataclass with the settings that a name may carry: ``search:max_looks=8``; None where there are none."""

    def __init__(
        self,
        model: Model,
        video: Video,
        window: Span | None = None,
        prompts: PromptSet | None = None,
        sampling: Sampling | None = None,
    ) -> None:
        """Take a video, or only a `window` of it.

        prompts: how rows are worded. sampling: which frames are read. Both are the model's own by default.
        """
        self.model, self.video, self.window = model, video, window
        self.prompts, self.sampling = prompts or model.profile.prompts(), sampling or model.sampling()
        self.on_look: Callable[[Look], None] = lambda look: None
        """Told each look that a method takes after it was opened; what it raises ends the work."""

    @abstractmethod
    def answers(self, rows: Sequence[Row], spec: SampleSpec | None = None) -> list[list[Outcome]]:
        """Return `spec.num_answers` outcomes for each row of this video and window."""

    def scores(self, rows: Sequence[Row], options: Sequence[Sequence[str]]) -> list[list[float]]:
        """Return the log-probability of each of a row's options as the answer to it.

        Raise UserError where the method cannot tell.
        """
        raise UserError(f"method {self.name} tells no probabilities of options; let the letter that is said count")

    def confidence(self, answer: ParsedAnswer, raw: float | None) -> float | None:
        """Return how sure an answer is: P(IoU >= 0.5) for spans and P(right) else, if the profile is calibrated.

        Where it is not, the raw confidence: the mean probability of its tokens.
        """
        return None if raw is None else self.model.profile.confidence(answer.kind, raw)

    def close(self) -> None:  # noqa: B027 - a method that keeps nothing has nothing to do
        """Let go of what is kept."""

    @cached_property
    def clip(self) -> Clip:
        """Return the frames of the window that the model is shown when it looks at all of it at once."""
        return self.video.part(self.window, self.sampling)

    @property
    def sparse(self) -> str | None:
        """Return a sentence where most frames of a long video were left out; None where that cannot be."""
        return None

    @property
    def extent(self) -> Span:
        """Return the part of the file that is meant."""
        return self.window or Span(0.0, self.video.duration_s)

    @property
    def size_bytes(self) -> int:
        """Return how much memory it holds, as far as that is known."""
        return int(self.clip.frames.nbytes) if "clip" in self.__dict__ else 0

    @classmethod
    def answer(cls, model: Model, video: Video, rows: Sequence[Row], spec: SampleSpec | None = None) -> list[Outcome]:
        """Return one outcome for each of the rows of one video and window."""
        if not rows:
            return []
        asked = cls(model, video, rows[0].window)
        try:
            return [outcome for (outcome,) in asked.answers(rows, replace(spec or SampleSpec(), num_answers=1))]
        finally:
            asked.close()

    def __enter__(self) -> Self:
        """Return the method."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of what is kept."""
        self.close()


def confidence_of(turn: Turn) -> float | None:
    """Return the mean probability of an answer's tokens; None where it is not told."""
    return None if turn.mean_logprob is None else math.exp(turn.mean_logprob)


def written(answer: ParsedAnswer, row: Row, prompts: PromptSet) -> ParsedAnswer:
    """Return an answer that was found and not said with the text by which a model would say it.

    Evaluators that read texts read this one.
    """
    yes = None if answer.yes is None else "Yes." if answer.yes else "No."
    if row.task == "ground":
        return replace(answer, text=row_answer(prompts, replace(row, spans=list(answer.spans))))
    return replace(answer, text=answer.text or answer.option or yes or "")
