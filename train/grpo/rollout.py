"""Sampling: which answers a clip needs, and the engine that gives them in the trainer itself.

There a clip is encoded once, its prompt prefilled once, and all answers come from the one KV cache. The other engine
is `vllm_sampler.py`.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from timeground.chat.prompts import row_prompt
from timeground.data.rows import Row
from timeground.media.views import shuffled
from timeground.models.local.prefix_cache import PrefixCache
from timeground.models.local.towers import TowerStates
from timeground.models.sampling import Sampled, SampleSpec
from timeground.stopwatch import Stopwatch

from ..examples import Encoder, Example
from ..packed_model import PackedModel
from ..sources import ClipRows
from .settings import SamplingSettings


@dataclass(frozen=True)
class Rollout:
    """One prompt's questions with their sampled answers.

    example: its turns hold the answers' tokens. asked: the text of each question. texts: of each of its answers.
    logprobs: of each token, at the sampling temperature, as the engine that sampled tells them. finished: whether an
    answer came to its end.
    is_backward: the clip was reversed, and the rows' spans are mirrored. backward, shuffled: for each question, texts
    of answers on the reversed or shuffled clip.
    """

    example: Example
    rows: list[Row]
    asked: list[str]
    texts: list[list[str]]
    logprobs: list[list[list[float]]]
    finished: list[list[bool]]
    is_backward: bool = False
    backward: list[list[str]] | None = None
    shuffled: list[list[str]] | None = None


@dataclass(frozen=True)
class Draw:
    """How answers are drawn: greedy at temperature 0, else by a seed. trained: they are trained on."""

    num_answers: int = 1
    temperature: float = 0.0
    seed: int = 0
    trained: bool = False


Prompted = tuple[Example, list[Row], list[list[Sampled]]]
"""A prompt, the rows that it asks, and the answers to each."""


class RolloutEngine(ABC):
    """Rolls out clips with the policy as it stands; where answers come from is for the engine to say."""

    def __init__(self, encoder: Encoder, settings: SamplingSettings, watch: Stopwatch | None = None) -> None:
        self.encoder, self.settings, self.watch = encoder, settings, watch or Stopwatch()
        self.tokenizing = threading.Lock()  # a tokenizer is for one thread at a time

    @abstractmethod
    def sampled(self, item: ClipRows, draw: Draw) -> list[Prompted]:
        """Each prompt of a clip with its answers."""

    def refresh(self) -> None:  # noqa: B027 - an engine without weights of its own has nothing to do
        """Use the policy as it now is; all processes call it, before the first answers after an update."""

    def close(self) -> None:  # noqa: B027 - as above
        """Let go of what is held."""

    def start(self, item: ClipRows, seed: Sequence[int]) -> Callable[[], list[Rollout]]:
        """Begin to roll out a clip; what is returned gives the rollouts."""
        return partial(self.roll_out, item, seed)

    def roll_out(self, item: ClipRows, seed: Sequence[int]) -> list[Rollout]:
        """Sample a group for each row of a clip; the same seed gives the same answers.

        One rollout, or one a row where the question stands before the video; with `backward: group` the same
        again for the reversed clip.
        """
        found = self.forward_groups(item, [*seed, 0], trained=True)
        if self.settings.backward == "group":
            others = self.forward_groups(reversed_item(item), [*seed, 1], trained=True)
            found = [replace(r, backward=o.texts) for r, o in zip(found, others, strict=True)]
            found += [replace(o, is_backward=True, backward=r.texts) for r, o in zip(found, others, strict=True)]
        if self.settings.backward == "greedy":
            greedy = self._others(reversed_item(item), Draw())
            found = [replace(r, backward=[next(greedy) for _ in r.rows]) for r in found]
        if self.settings.shuffled:
            draw = Draw(self.settings.shuffled, self.settings.temperature, _seed([*seed, 2]))
            mixed = self._others(shuffled_item(item, seed), draw)
            found = [r if r.is_backward else replace(r, shuffled=[next(mixed) for _ in r.rows]) for r in found]
        return found

    def forward_groups(self, item: ClipRows, seed: Sequence[int], trained: bool = False) -> list[Rollout]:
        """Sample a group for each row of a clip, and nothing beside."""
        draw = Draw(self.settings.group_size, self.settings.temperature, _seed(seed), trained)
        return [
            Rollout(
                example=replace(
                    example,
                    turns=[
                        replace(turn, answers=[a.ids for a in group])
                        for turn, group in zip(example.turns, answers, strict=True)
                    ],
                ),
                rows=rows,
                asked=[row_prompt(self.encoder.profile.prompts(), row) for row in rows],
                texts=[[self._text(a) for a in group] for group in answers],
                logprobs=[[a.logprobs for a in group] for group in answers],
                finished=[[self._is_finished(a) for a in group] for group in answers],
            )
            for example, rows, answers in self.sampled(item, draw)
        ]

    def _others(self, item: ClipRows, draw: Draw) -> Iterator[list[str]]:
        """For each row in order the texts of answers that are not trained on."""
        for _, _, answers in self.sampled(item, draw):
            for group in answers:
                yield [self._text(a) for a in group]

    @property
    def max_new_tokens(self) -> int:
        """Tokens of an answer, at most."""
        return self.settings.max_new_tokens or self.encoder.profile.max_new_tokens

    def _text(self, answer: Sampled) -> str:
        with self.tokenizing:
            return self.encoder.builder.decode(answer.ids).strip()

    def _is_finished(self, answer: Sampled) -> bool:
        return answer.is_finished(self.encoder.builder.end_id)


class Sampler(RolloutEngine):
    """The engine in the trainer: the model that is trained samples.

    keep_prefix: what it makes of a prompt is kept with its graph, and the update goes on from there.
    """

    def __init__(
        self,
        model: PackedModel,
        encoder: Encoder,
        settings: SamplingSettings,
        watch: Stopwatch | None = None,
        keep_prefix: bool = False,
    ) -> None:
        super().__init__(encoder, settings, watch)
        self.model, self.keep_prefix = model, keep_prefix

    def sampled(self, item: ClipRows, draw: Draw) -> list[Prompted]:
        """Each prompt of a clip with its answers; what the vision tower makes of the clip is computed once."""
        spec = SampleSpec(draw.num_answers, draw.temperature, self.max_new_tokens, draw.seed, tempered=True)
        tokens = self.encoder.builder.answer_tokens
        states: TowerStates | None = None
        keep = self.keep_prefix and draw.trained
        found = []
        for example, rows in self.encoder.asked(item):
            if self.model.frozen != "none":  # a trained tower runs with what follows it
                with self.watch.on("encode"):
                    states = states or self.model.tower_states(example)
            seen = replace(example, states=states)
            with torch.set_grad_enabled(keep), self.model.amp():
                features = self.model.features([seen])
                cache = PrefixCache(self.model.model, example.prompt, features, keep)
                answers = cache.answer([turn.question for turn in example.turns], spec, tokens)
            found.append((replace(seen, prefix=cache.kept), rows, answers))
        return found


def reversed_item(item: ClipRows) -> ClipRows:
    """The clip played backwards, its rows' spans mirrored."""
    return replace(item, clip=item.clip.reversed(), rows=[row.mirrored() for row in item.rows])


def shuffled_item(item: ClipRows, seed: Sequence[int]) -> ClipRows:
    """The clip with its frames in another order under the same times (T-GRPO)."""
    return replace(item, clip=shuffled(item.clip, np.random.default_rng([int(s) for s in seed])))


def _seed(numbers: Sequence[int]) -> int:
    """One seed of several numbers."""
    state = np.random.SeedSequence([int(n) for n in numbers]).generate_state(1, np.uint64)[0]
    return int(state >> 1)
