"""Rollouts: a method asks the policy about a clip, and what comes of it is what is trained on.

Where answers come from is for the engine to say: the model in the trainer (`local.py`), or a server (`served.py`).
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from timeground.chat.parts import Message
from timeground.chat.prompts import row_prompt
from timeground.chat.trajectory import Trajectory
from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.media.video import Video
from timeground.methods.base import Method, Outcome
from timeground.methods.direct import Direct
from timeground.models.base import Model
from timeground.models.sampling import SampleSpec
from timeground.stopwatch import Stopwatch

from ..config import ContrastSettings, SamplingSettings
from ..data.conversations import Conversations, examples_of
from ..data.render import ClipRows, Encoder, Example
from .contrasts import Contrast


@dataclass(frozen=True)
class Rollout:
    """The rows of a clip with their sampled answers."""

    examples: list[Example]
    """The prompts with the tokens of the answers, as they are trained on: one, unless questions come first or a method
    looks at several parts of the clip."""
    order: list[int]
    """The number of each answer of the examples, as they come: counted question by question."""
    rows: list[Row]
    asked: list[str]
    """The text of each question."""
    answers: list[list[Trajectory]]
    """Of each question, with the log-probabilities at the sampling temperature that the engine told."""
    contrast: Contrast | None = None
    """What was done to the clip and its rows; None for the clip as it is."""
    contrasts: dict[str, list[list[Trajectory]]] = field(default_factory=dict)
    """Answers about changed clips, of each question, by the contrast's name."""

    @property
    def texts(self) -> list[list[str]]:
        """Return the text of each question's answers."""
        return [[answer.text for answer in group] for group in self.answers]

    @property
    def logprobs(self) -> list[float]:
        """Return the log-probability of each token that was sampled, in the order of the examples."""
        flat = [answer for group in self.answers for answer in group]
        turns = (turn for number in self.order for turn in flat[number].turns if turn.is_sampled)
        return [x for turn in turns for x in turn.logprobs or ()]


@dataclass(frozen=True)
class Draw:
    """How answers are drawn: greedy at temperature 0, else by a seed."""

    num_answers: int = 1
    temperature: float = 0.0
    seed: int = 0
    trained: bool = False
    """Whether they are trained on."""


class Policy(Model):
    """The model in training, as a method asks it."""

    @abstractmethod
    def made_of(self, opening: Message, question: Message) -> dict[str, Any]:
        """Return what was made of a prompt and is kept for the update: fields of an example's root, and its prefix."""


class RolloutEngine(ABC):
    """Rolls out clips with the policy as it stands."""

    is_local = False
    """Whether the model in the trainer samples, with the weights that it is trained with."""

    def __init__(
        self,
        encoder: Encoder,
        settings: SamplingSettings,
        watch: Stopwatch | None = None,
        contrasts: Sequence[ContrastSettings] = (),
        method: type[Method] = Direct,
    ) -> None:
        self.encoder, self.settings, self.watch = encoder, settings, watch or Stopwatch()
        self.contrasts, self.method = contrasts, method
        self.tokenizing = threading.Lock()  # a tokenizer is for one thread at a time

    @abstractmethod
    def policy(self, item: ClipRows, draw: Draw) -> Policy:
        """Return the policy, to be asked about a clip."""

    def refresh(self) -> None:  # noqa: B027 - an engine without weights of its own has nothing to do
        """Use the policy as it now is; all processes call it, before the first answers after an update."""

    def close(self) -> None:  # noqa: B027 - as above
        """Let go of what is held."""

    def start(self, item: ClipRows, seed: Sequence[int]) -> Callable[[], list[Rollout]]:
        """Begin to roll out a clip; what is returned gives the rollouts."""
        return partial(self.roll_out, item, seed)

    def roll_out(self, item: ClipRows, seed: Sequence[int]) -> list[Rollout]:
        """Sample a group for each row of a clip; the same seed gives the same answers.

        There is one rollout, and after it those of changed clips that are trained on.
        """
        found, trained = self.group(item, [*seed, 0], trained=True), []
        for settings in self.contrasts:
            contrast = settings.entry
            other = self.rolled(contrast.applied(item, seed), self._draw(settings, [*seed, contrast.stream]))
            found = replace(found, contrasts={**found.contrasts, contrast.name: other.answers})
            if contrast.is_trained:
                trained.append(replace(other, contrast=contrast))
        return [found, *trained]

    def group(self, item: ClipRows, seed: Sequence[int], trained: bool = False) -> Rollout:
        """Sample a group for each row of a clip, and nothing beside."""
        return self.rolled(item, Draw(self.settings.group_size, self.settings.temperature, seed_of(seed), trained))

    @property
    def max_new_tokens(self) -> int:
        """Return the number of tokens of an answer, at most."""
        return self.settings.max_new_tokens or self.encoder.profile.max_new_tokens

    def _draw(self, settings: ContrastSettings, seed: Sequence[int]) -> Draw:
        """Return how answers about a changed clip are drawn."""
        if settings.entry.is_greedy:
            return Draw()
        count = settings.num_answers(self.settings.group_size)
        return Draw(count, self.settings.temperature, seed_of(seed), settings.entry.is_trained)

    def rolled(self, item: ClipRows, draw: Draw) -> Rollout:
        """Ask about a clip by the method."""
        policy = self.policy(item, draw)
        spec = SampleSpec(draw.num_answers, draw.temperature, self.max_new_tokens, draw.seed, tempered=True)
        with self.method(policy, Video.of(self.encoder.clip(item)), item.rows[0].window) as method:
            outcomes = method.answers(item.rows, spec)
        groups = [[_conversation(outcome, method.name) for outcome in group] for group in outcomes]
        with self.tokenizing:
            parts = examples_of(self.encoder, item, groups)
            rows = self.encoder.told(item, outcomes[0][0].origin_s)
        prompts = self.encoder.profile.prompts()
        return Rollout(
            [self.with_kept(part, policy) for part in parts],
            [number for part in parts for number in part.order],
            rows,
            [row_prompt(prompts, row) for row in rows],
            [[_paid(*pair) for pair in zip(*both, strict=True)] for both in zip(outcomes, groups, strict=True)],
        )

    def with_kept(self, part: Conversations, policy: Policy) -> Example:
        """Return the example of a prompt, with what the policy kept of it."""
        kept = policy.made_of(part.opening, part.questions[0])
        return replace(part.example.with_root(states=kept.get("states")), prefix=kept.get("prefix"))


def seed_of(numbers: Sequence[int]) -> int:
    """Return one seed of several numbers."""
    state = np.random.SeedSequence([int(n) for n in numbers]).generate_state(1, np.uint64)[0]
    return int(state >> 1)


def _conversation(outcome: Outcome, method: str) -> Trajectory:
    """Return the conversation that is trained on. Raise UserError where a method answers from none, or from several."""
    if (count := len(outcome.trajectories)) != 1:
        raise UserError(f"method {method}: an answer comes from {count} conversations; one can be trained on")
    return outcome.trajectories[0]


def _paid(outcome: Outcome, trajectory: Trajectory) -> Trajectory:
    """Return the conversation as rewards read it: its last word is what the method answers."""
    last = outcome.turn
    if last.text == outcome.answer.text:
        return trajectory
    said = replace(last, message=Message.of("assistant", outcome.answer.text))
    return replace(trajectory, turns=tuple(said if turn is last else turn for turn in trajectory.turns))
