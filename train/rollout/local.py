"""Sampling: which answers a clip needs, and the engine that gives them in the trainer itself.

There a clip is encoded once, its prompt prefilled once, and all answers come from the one KV cache. The other engine
is `vllm_sampler.py`.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch

from timeground.chat.prompts import row_prompt
from timeground.chat.trajectory import Trajectory
from timeground.data.rows import Row
from timeground.models.local.prefix_cache import PrefixCache
from timeground.models.local.towers import TowerStates
from timeground.models.sampling import Sampled, SampleSpec
from timeground.stopwatch import Stopwatch

from ..config import ContrastSettings, SamplingSettings
from ..data.render import ClipRows, Encoder, Example, Node
from ..model import PackedModel
from .contrasts import Contrast


@dataclass(frozen=True)
class Rollout:
    """One prompt's questions with their sampled answers."""

    example: Example
    """The prompt with the tokens of the answers, as they are trained on."""
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
        """The text of each question's answers."""
        return [[answer.text for answer in group] for group in self.answers]

    @property
    def logprobs(self) -> list[list[list[float]]]:
        """The log-probability of each token that was sampled."""
        return [
            [[x for turn in answer.turns if turn.is_sampled for x in turn.logprobs or ()] for answer in group]
            for group in self.answers
        ]


@dataclass(frozen=True)
class Draw:
    """How answers are drawn: greedy at temperature 0, else by a seed. trained: they are trained on."""

    num_answers: int = 1
    temperature: float = 0.0
    seed: int = 0
    trained: bool = False


Prompted = tuple[Example, list[Row], list[list[Trajectory]]]
"""A prompt, the rows that it asks, and the answers to each: with tools, trajectories of several turns."""


class RolloutEngine(ABC):
    """Rolls out clips with the policy as it stands; where answers come from is for the engine to say."""

    def __init__(
        self,
        encoder: Encoder,
        settings: SamplingSettings,
        watch: Stopwatch | None = None,
        contrasts: Sequence[ContrastSettings] = (),
    ) -> None:
        self.encoder, self.settings, self.watch = encoder, settings, watch or Stopwatch()
        self.contrasts = contrasts
        self.tokenizing = threading.Lock()  # a tokenizer is for one thread at a time

    is_local = False
    """Whether the model in the trainer samples, with the weights that it is trained with."""

    @abstractmethod
    def sampled(self, item: ClipRows, draw: Draw) -> list[Prompted]:
        """Return each prompt of a clip with its answers."""

    def refresh(self) -> None:  # noqa: B027 - an engine without weights of its own has nothing to do
        """Use the policy as it now is; all processes call it, before the first answers after an update."""

    def close(self) -> None:  # noqa: B027 - as above
        """Let go of what is held."""

    def start(self, item: ClipRows, seed: Sequence[int]) -> Callable[[], list[Rollout]]:
        """Begin to roll out a clip; what is returned gives the rollouts."""
        return partial(self.roll_out, item, seed)

    def roll_out(self, item: ClipRows, seed: Sequence[int]) -> list[Rollout]:
        """Sample a group for each row of a clip; the same seed gives the same answers.

        One rollout, or one a row where the question stands before the video; after them those of changed clips that
        are trained on.
        """
        found, trained = self.groups(item, [*seed, 0], trained=True), []
        for settings in self.contrasts:
            contrast = settings.entry
            changed = contrast.applied(item, seed)
            others = self._rollouts(changed, self._draw(settings, [*seed, contrast.stream]))
            answers = iter([group for other in others for group in other.answers])
            found = [
                replace(r, contrasts={**r.contrasts, contrast.name: [next(answers) for _ in r.rows]}) for r in found
            ]
            trained += [replace(other, contrast=contrast) for other in others if contrast.is_trained]
        return found + trained

    def groups(self, item: ClipRows, seed: Sequence[int], trained: bool = False) -> list[Rollout]:
        """Sample a group for each row of a clip, and nothing beside."""
        draw = Draw(self.settings.group_size, self.settings.temperature, _seed(seed), trained)
        return self._rollouts(item, draw)

    def _draw(self, settings: ContrastSettings, seed: Sequence[int]) -> Draw:
        """Return how answers about a changed clip are drawn."""
        if settings.entry.is_greedy:
            return Draw()
        count = settings.num_answers(self.settings.group_size)
        return Draw(count, self.settings.temperature, _seed(seed), settings.entry.is_trained)

    def _rollouts(self, item: ClipRows, draw: Draw) -> list[Rollout]:
        """Return the prompts of a clip with their answers."""
        return [
            Rollout(
                example=self._answered(example, answers),
                rows=rows,
                asked=[row_prompt(self.encoder.profile.prompts(), row) for row in rows],
                answers=answers,
            )
            for example, rows, answers in self.sampled(item, draw)
        ]

    @property
    def max_new_tokens(self) -> int:
        """Tokens of an answer, at most."""
        return self.settings.max_new_tokens or self.encoder.profile.max_new_tokens

    def _answered(self, example: Example, answers: list[list[Trajectory]]) -> Example:
        with self.tokenizing:
            return self.encoder.answered(example, answers)

    def trajectories(self, groups: Sequence[Sequence[Sampled]]) -> list[list[Trajectory]]:
        """Return sampled answers as conversations of one turn."""
        with self.tokenizing:
            turns = [[self.encoder.builder.turn(answer, SampleSpec()) for answer in group] for group in groups]
        return [[Trajectory((turn,), "answered" if turn.finished else "cut") for turn in group] for group in turns]


class Sampler(RolloutEngine):
    """The engine in the trainer: the model that is trained samples.

    keep_prefix: what it makes of a prompt is kept with its graph, and the update goes on from there.
    """

    is_local = True

    def __init__(
        self,
        model: PackedModel,
        encoder: Encoder,
        settings: SamplingSettings,
        watch: Stopwatch | None = None,
        keep_prefix: bool = False,
        contrasts: Sequence[ContrastSettings] = (),
    ) -> None:
        super().__init__(encoder, settings, watch, contrasts)
        self.model, self.keep_prefix = model, keep_prefix

    def sampled(self, item: ClipRows, draw: Draw) -> list[Prompted]:
        """Return each prompt of a clip with its answers; what the vision tower makes of the clip is computed once."""
        spec = SampleSpec(draw.num_answers, draw.temperature, self.max_new_tokens, draw.seed, tempered=True)
        tokens = self.encoder.builder.answer_tokens
        states: TowerStates | None = None
        keep = self.keep_prefix and draw.trained
        found = []
        for example, rows in self.encoder.asked(item):
            if self.model.frozen != "none":  # a trained tower runs with what follows it
                with self.watch.on("encode"):
                    states = states or self.model.tower_states(example.root)
            seen = example.with_root(states=states)
            with torch.set_grad_enabled(keep), self.model.amp():
                features = self.model.features(seen.shown)
                cache = PrefixCache(self.model.model, example.prompt, features, keep)
                answers = cache.answer(example.questions, spec, tokens)
            found.append((replace(seen, prefix=cache.kept), rows, self.trajectories(answers)))
        return found

    def _answered(self, example: Example, answers: list[list[Trajectory]]) -> Example:
        """Return the example with its answers; what a frozen tower makes of frames shown in them is kept as well."""
        example = super()._answered(example, answers)
        if self.model.frozen == "none":
            return example
        with self.watch.on("encode"):
            return replace(example, nodes=tuple(self._with_states(node) for node in example.nodes))

    def _with_states(self, node: Node) -> Node:
        if node.frames is None or node.states is not None:
            return node
        return replace(node, states=self.model.tower_states(node))


def _seed(numbers: Sequence[int]) -> int:
    """Return one seed of several numbers."""
    state = np.random.SeedSequence([int(n) for n in numbers]).generate_state(1, np.uint64)[0]
    return int(state >> 1)
