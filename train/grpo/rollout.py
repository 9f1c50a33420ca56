"""Sampling: a clip is encoded once, its prompt prefilled once, and all answers come from the one KV cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from timeground.models.sharing import Answer, Decoding, PrefixCache
from timeground.models.vision import TowerStates
from timeground.records import Row
from timeground.stopwatch import Stopwatch
from timeground.video.perturb import shuffled

from ..examples import Encoder, Example
from ..packed_model import PackedModel
from ..sources import ClipRows
from .settings import SamplingSettings


@dataclass(frozen=True)
class Rollout:
    """One prompt's questions with their sampled answers.

    example: its turns hold the answers' tokens. texts, logprobs: for each question, of each answer. finished:
    whether it came to its end. is_backward: the clip was reversed, and the rows' spans are mirrored.
    backward, shuffled: for each question, texts of answers on the reversed or shuffled clip.
    """

    example: Example
    rows: list[Row]
    texts: list[list[str]]
    logprobs: list[list[list[float]]]
    finished: list[list[bool]]
    is_backward: bool = False
    backward: list[list[str]] | None = None
    shuffled: list[list[str]] | None = None


@dataclass(frozen=True)
class Sampler:
    """Rolls out clips with the model as it stands."""

    model: PackedModel
    encoder: Encoder
    settings: SamplingSettings
    watch: Stopwatch = field(default_factory=Stopwatch)

    def roll_out(self, item: ClipRows, seed: Sequence[int]) -> list[Rollout]:
        """Sample a group for each row of a clip; the same seed gives the same answers.

        One rollout, or one a row where the question stands before the video; with `backward: group` the same
        again for the reversed clip.
        """
        found = self.forward_groups(item, [*seed, 0])
        if self.settings.backward == "group":
            others = self.forward_groups(reversed_item(item), [*seed, 1])
            found = [replace(r, backward=o.texts) for r, o in zip(found, others, strict=True)]
            found += [replace(o, is_backward=True, backward=r.texts) for r, o in zip(found, others, strict=True)]
        if self.settings.backward == "greedy":
            greedy = self._others(reversed_item(item), Decoding())
            found = [replace(r, backward=[next(greedy) for _ in r.rows]) for r in found]
        if self.settings.shuffled:
            decoding = Decoding(
                num_answers=self.settings.shuffled,
                temperature=self.settings.temperature,
                generator=self._generator([*seed, 2]),
            )
            mixed = self._others(shuffled_item(item, seed), decoding)
            found = [r if r.is_backward else replace(r, shuffled=[next(mixed) for _ in r.rows]) for r in found]
        return found

    def forward_groups(self, item: ClipRows, seed: Sequence[int]) -> list[Rollout]:
        """Sample a group for each row of a clip, and nothing beside."""
        decoding = Decoding(
            num_answers=self.settings.group_size,
            temperature=self.settings.temperature,
            generator=self._generator(seed),
        )
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
                texts=[[self._text(a) for a in group] for group in answers],
                logprobs=[[a.logprobs for a in group] for group in answers],
                finished=[[self._is_finished(a) for a in group] for group in answers],
            )
            for example, rows, answers in self._sampled(item, decoding)
        ]

    def _others(self, item: ClipRows, decoding: Decoding) -> Iterator[list[str]]:
        """For each row in order the texts of answers that are not trained on."""
        for _, _, answers in self._sampled(item, decoding):
            for group in answers:
                yield [self._text(a) for a in group]

    def _sampled(self, item: ClipRows, decoding: Decoding) -> list[tuple[Example, list[Row], list[list[Answer]]]]:
        """Each prompt of a clip with its answers; what the vision tower makes of the clip is computed once."""
        decoding = replace(
            decoding,
            max_new_tokens=self.max_new_tokens,
            end_id=self.encoder.builder.end_id,
            forbidden_ids=self.encoder.family.forbidden_ids,
        )
        states: TowerStates | None = None
        sampled = []
        for example, rows in self.encoder.asked(item):
            with self.watch.on("encode"):
                states = states or self.model.tower_states(example)
            seen = replace(example, states=states)
            with torch.no_grad(), self.model.amp():
                features = self.model.features([seen])
                cache = PrefixCache(self.model.model, example.prompt, features)
                answers = cache.answer([turn.question for turn in example.turns], decoding)
            sampled.append((seen if self.model.frozen != "none" else example, rows, answers))
        return sampled

    @property
    def max_new_tokens(self) -> int:
        """Tokens of an answer, at most."""
        return self.settings.max_new_tokens or self.encoder.profile.max_new_tokens

    def _generator(self, seed: Sequence[int]) -> torch.Generator:
        state = np.random.SeedSequence([int(s) for s in seed]).generate_state(1, np.uint64)[0]
        return torch.Generator(self.model.device).manual_seed(int(state >> 1))

    def _text(self, answer: Answer) -> str:
        return self.encoder.builder.decode(answer.ids).strip()

    def _is_finished(self, answer: Answer) -> bool:
        return bool(answer.ids) and answer.ids[-1] == self.encoder.builder.end_id


def reversed_item(item: ClipRows) -> ClipRows:
    """The clip played backwards, its rows' spans mirrored."""
    return replace(item, clip=item.clip.reversed(), rows=[row.mirrored() for row in item.rows])


def shuffled_item(item: ClipRows, seed: Sequence[int]) -> ClipRows:
    """The clip with its frames in another order under the same times (T-GRPO)."""
    return replace(item, clip=shuffled(item.clip, np.random.default_rng([int(s) for s in seed])))
