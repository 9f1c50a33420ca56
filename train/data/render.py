"""Training examples: a video's frames and prompt once, with several questions and their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from timeground.chat.layout import TimeEncoding, VisionSegment, encode_time, origin_s, stamp_times_s
from timeground.chat.profile import Profile
from timeground.chat.prompts import row_answer, row_prompt
from timeground.data.rows import Row
from timeground.media.clip import Clip
from timeground.models.families import Family
from timeground.models.inputs import PromptBuilder, PromptInputs
from timeground.models.local.prefix_cache import KeptPrefix
from timeground.models.local.towers import TowerStates
from timeground.spans import Span


@dataclass(frozen=True)
class ClipRows:
    """A clip and some of its rows."""

    clip: Clip
    rows: list[Row]
    as_images: bool = False
    """Whether it is shown as stamped images."""
    snap: str | None = None
    """How true spans are moved to stamps, see `snapped`."""


@dataclass(frozen=True)
class Turn:
    """A question after the video with its answers, each blind to the others."""

    question: PromptInputs
    answers: list[list[int]]
    weights: list[float]
    """How much each token of an answer counts in a supervised loss."""


@dataclass(frozen=True)
class Example:
    """One video with its turns."""

    frames: torch.Tensor
    """uint8 ``[T, C, H, W]``."""
    prompt: PromptInputs
    turns: list[Turn]
    states: TowerStates | None = None
    """What the frozen vision tower made of the frames, where that was kept."""
    prefix: KeptPrefix | None = None
    """What the model made of the prompt, where that was kept."""

    @property
    def vision(self) -> tuple[VisionSegment, ...]:
        """The vision blocks of the prompt."""
        return self.prompt.vision


@dataclass(frozen=True)
class Encoder:
    """Turns clips and rows into examples, as a checkpoint's profile says."""

    builder: PromptBuilder
    family: Family
    profile: Profile
    reduction: str = "token"

    def supervised(self, item: ClipRows) -> list[Example]:
        """Return the examples of a clip with its rows' true answers: one, or one a row where questions come first."""
        return [
            replace(example, turns=[self._with_truth(turn, row) for turn, row in zip(example.turns, rows, strict=True)])
            for example, rows in self.asked(item)
        ]

    def asked(self, item: ClipRows) -> list[tuple[Example, list[Row]]]:
        """Return examples whose turns have no answers yet, with the rows that they ask.

        as_images: every second frame as a stamped image, as servers are sent them. Rows come back with their
        spans snapped to the stamps where that is asked for, and in the seconds that the model is told.
        """
        encoding = TimeEncoding.STAMPED_IMAGES if item.as_images else self.profile.time_encoding
        clip, segments = encode_time(item.clip.thinned() if item.as_images else item.clip, encoding, self.profile.stamp)
        grid_hw = (
            clip.frames.shape[2] // self.family.patch_size,
            clip.frames.shape[3] // self.family.patch_size,
        )
        rows = item.rows
        if item.snap:
            stamps_s = stamp_times_s(clip, encoding)
            rows = [snapped(row, stamps_s, item.snap) for row in rows]
        rows = [row.told_from(origin_s(encoding, clip.start_s)) for row in rows]
        prompts = self.profile.prompts()
        texts = [row_prompt(prompts, row) for row in rows]
        if self.profile.text_first:
            alone = []
            for text, row in zip(texts, rows, strict=True):
                body, last = self.builder.text_first(text, segments, grid_hw).split_last()
                alone.append((Example(clip.frames, body, [Turn(last, [], [])]), [row]))
            return alone
        prompt = self.builder.prefix(segments, grid_hw, encoding)
        turns = [Turn(self.builder.question(text, prompt.next_position), [], []) for text in texts]
        return [(Example(clip.frames, prompt, turns), rows)]

    def _with_truth(self, turn: Turn, row: Row) -> Turn:
        ids = self.builder.answer_ids(row_answer(self.profile.prompts(), row))
        power = {"token": 0.0, "square": 0.5, "sequence": 1.0}[self.reduction]
        return replace(turn, answers=[ids], weights=[len(ids) ** -power])


def snapped(row: Row, stamps_s: Sequence[float], how: str) -> Row:
    """Return the row with its spans' ends moved to stamps, so that an answer is a copy of two stamps.

    how: ``nearest``, or ``outward`` as TimeLens-7B does: to the latest stamp before the start and the earliest one
    after the end (the last stamp if there is none).
    """

    def nearest(time_s: float) -> float:
        return min(stamps_s, key=lambda stamp: abs(stamp - time_s))

    def outward(span: Span) -> Span:
        start = max((s for s in stamps_s if s <= span.start_s), default=stamps_s[0])
        end = min((s for s in stamps_s if s >= span.end_s), default=stamps_s[-1])
        return Span(start, end)

    if how == "outward":
        return replace(row, spans=[outward(s) for s in row.spans])
    return replace(row, spans=[Span(nearest(s.start_s), nearest(s.end_s)) for s in row.spans])
