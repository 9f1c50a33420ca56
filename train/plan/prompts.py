"""How long a recipe's prompts are: laid out by the trainer's own code, with clips that have no pixels.

Frames come from a video of 1280 x 720 pixels; text is counted in pieces (`pieces.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from timeground.chat.layout import TimeEncoding
from timeground.chat.prompts import row_answer
from timeground.data.rows import Row
from timeground.media.clip import Clip
from timeground.media.sampling import frame_size, num_frames
from timeground.spans import Span

from ..config import DataSettings
from ..data.render import ClipRows, Encoder, Example
from .shapes import Shape

SOURCE_SIZE = 720, 1280
THOUGHT = "He opens the door here."
QUERY = "a person in a red jacket opens the door of the car and walks out"


@dataclass(frozen=True)
class PromptSize:
    """What a clip of some length becomes: frames, and tokens of the prompt with one question."""

    duration_s: float
    frames: int
    visual_tokens: int
    text_tokens: int

    @property
    def tokens(self) -> int:
        """Return the number of all tokens."""
        return self.visual_tokens + self.text_tokens


class Prompts:
    """The prompts of a recipe."""

    def __init__(self, shape: Shape, data: DataSettings) -> None:
        profile = shape.profile
        if profile.time_encoding is TimeEncoding.DRAWN:  # there are no pixels to draw on; this one has as many tokens
            profile = replace(profile, time_encoding=TimeEncoding.MROPE)
        self.builder, self.profile, self.family, self.data = shape.builder, profile, shape.family, data
        self.sampling = shape.sampling
        self.encoder = Encoder(self.builder, shape.family, profile)

    def true_answer_tokens(self, thinking: bool = False) -> int:
        """Return tokens of a true answer with one span and its end; thinking: after a sentence in a think block."""
        answer = row_answer(self.profile.prompts(), _row(60.0))
        return len(self.builder.answer_ids(f"<think>{THOUGHT}</think>\n{answer}" if thinking else answer))

    def size(self, duration_s: float) -> PromptSize:
        """Return the prompt of a clip of that many seconds."""
        example = self.examples(duration_s, questions=1)[0]
        ids = np.concatenate([example.prompt.ids_L, example.questions[0].ids_L])
        visual = int(np.isin(ids, self.family.visual_ids).sum())
        return PromptSize(duration_s, len(example.frames), visual, len(ids) - visual)

    def largest(self, longest_s: float | None = None) -> PromptSize:
        """Return the longest prompt of a clip of at most so many seconds; of any clip if not given."""
        sampling = self.sampling
        limit_s = sampling.frame_limit / sampling.fps
        frames = num_frames(limit_s if longest_s is None else min(longest_s, limit_s), sampling)
        densest = max(range(2, frames + 1, 2), key=lambda n: n // 2 * self._tokens_per_pair(n))
        return max((self.size(n / sampling.fps) for n in (densest, frames)), key=lambda size: size.tokens)

    def examples(self, duration_s: float, questions: int) -> list[Example]:
        """Return what the encoder makes of a clip and its questions: one example, or one a question (text first)."""
        frames = num_frames(duration_s, self.sampling)
        height, width = frame_size(*SOURCE_SIZE, frames, self.sampling)
        clip = Clip(
            frames=torch.empty(frames, 3, height, width, dtype=torch.uint8, device="meta"),
            frame_times_s=torch.arange(frames, dtype=torch.float64) / self.sampling.fps,
            start_s=0.0,
            end_s=duration_s,
            duration_s=duration_s,
        )
        return [example for example, _ in self.encoder.asked(ClipRows(clip, [_row(duration_s)] * questions))]

    def _tokens_per_pair(self, frames: int) -> int:
        height, width = frame_size(*SOURCE_SIZE, frames, self.sampling)
        return height * width // self.family.factor**2


def _row(duration_s: float) -> Row:
    return Row(id="check", video="", duration=duration_s, query=QUERY, spans=[Span(12.5, 17.8)])
