"""Builds a model's input from segments: token ids, three-axis position ids, and which frames go where.

Shape legend: L tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeground.chat.layout import Segment, TextSegment, TimeEncoding, VisionSegment
from timeground.chat.parts import Message
from timeground.chat.template import ChatTemplate
from timeground.chat.trajectory import Turn
from timeground.files.json_text import without_surrogates
from timeground.models.families import Family
from timeground.models.sampling import AnswerTokens, Sampled, SampleSpec

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class PromptInputs:
    """One row of model input without its pixels."""

    ids_L: Ints
    """Token ids."""
    positions_3L: Ints
    """Temporal, height and width position of each token."""
    vision: tuple[VisionSegment, ...]
    """The vision blocks in order; each holds ``grid_t * rows * columns`` of the visual tokens."""
    next_position: int
    """Where a token that follows has to stand (on all three axes)."""

    def __len__(self) -> int:
        return len(self.ids_L)

    @classmethod
    def following(cls, ids: Sequence[int], start: int) -> PromptInputs:
        """Return tokens of text, from position `start` on."""
        end = start + len(ids)
        return cls(np.array(ids, dtype=np.int64), np.tile(np.arange(start, end), (3, 1)), (), end)

    def joined(self, more: PromptInputs) -> PromptInputs:
        """Return this and what follows it as one."""
        return PromptInputs(
            np.concatenate([self.ids_L, more.ids_L]),
            np.concatenate([self.positions_3L, more.positions_3L], axis=1),
            (*self.vision, *more.vision),
            more.next_position,
        )

    def split_last(self) -> tuple[PromptInputs, PromptInputs]:
        """Return all but the last token, and the last token: what is prefilled, and what is then asked with."""
        body = replace(self, ids_L=self.ids_L[:-1], positions_3L=self.positions_3L[:, :-1])
        return body, replace(self, ids_L=self.ids_L[-1:], positions_3L=self.positions_3L[:, -1:], vision=())


class PromptBuilder:
    """Turns segments and texts into ids and positions, with a checkpoint's own tokenizer and chat template."""

    def __init__(
        self,
        tokenizer: Any,
        chat_template: str | None,
        family: Family,
        nested: bool = False,
        enable_thinking: bool = False,
    ) -> None:
        """Take what the prompts are made with.

        nested: whether the processor keeps a vision start and end around all of a native video. enable_thinking: as in
        the profile.
        """
        self.tokenizer, self.family, self.nested = tokenizer, family, nested
        self.template = ChatTemplate(tokenizer, chat_template, enable_thinking)
        self.head, self.tail = self.template.head, self.template.tail
        self._tokenize = lru_cache(maxsize=4096)(self._tokenize_anew)  # stamps come again and again
        eos = tokenizer.convert_tokens_to_ids(family.end_token)
        self.end_id: int = eos if isinstance(eos, int) and eos >= 0 else tokenizer.eos_token_id

    def prefix(self, segments: Sequence[Segment], grid_hw: tuple[int, int], encoding: TimeEncoding) -> PromptInputs:
        """Return the part of the prompt that all questions about a clip share: everything up to the last frame.

        grid_hw: patches down and across one frame.
        """
        return self.lay_out([TextSegment(self.head), *self.wrapped(segments, encoding)], grid_hw, 0)

    def question(self, text: str, start: int) -> PromptInputs:
        """Return a question after the video, up to where the answer begins, from position `start` on."""
        return self.lay_out([TextSegment(text + self.tail)], (0, 0), start)

    def text_first(self, text: str, segments: Sequence[Segment], grid_hw: tuple[int, int]) -> PromptInputs:
        """Return a whole prompt with the question before the video (ArrowGEV, Time-R1)."""
        return self.lay_out([TextSegment(self.head + text), *segments, TextSegment(self.tail)], grid_hw, 0)

    @property
    def answer_tokens(self) -> AnswerTokens:
        """Return what its tokens mean in an answer."""
        return AnswerTokens(self.end_id, self.family.forbidden_ids, self.decode)

    def wrapped(self, segments: Sequence[Segment], encoding: TimeEncoding) -> list[Segment]:
        """Return a clip's segments as the checkpoint's processor puts them."""
        if self.nested and encoding is TimeEncoding.NATIVE:
            return [TextSegment(self.family.block_start), *segments, TextSegment(self.family.block_end)]
        return list(segments)

    def answer_ids(self, text: str) -> list[int]:
        """Return the token ids of an answer, with the token that ends it."""
        return [*self.tokenizer.encode(text, add_special_tokens=False), self.end_id]

    def query_ids(self, text: str) -> list[int]:
        """Return the token ids of a query as it stands inside a question."""
        return list(self.tokenizer.encode(" " + text.strip(), add_special_tokens=False))

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of answer tokens, special tokens dropped."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def turn(self, sampled: Sampled, spec: SampleSpec) -> Turn:
        """Return sampled tokens as a turn: their text without the end token and the stop text."""
        at_end = bool(sampled.ids) and sampled.ids[-1] == self.end_id
        text = spec.cut(self.decode(sampled.ids[:-1] if at_end else sampled.ids)).strip()
        return Turn(
            Message.of("assistant", text),
            tuple(sampled.ids),
            logprobs=tuple(sampled.logprobs),
            finished=sampled.is_finished(self.end_id),
        )

    def lay_out(self, segments: Sequence[Segment], grid_hw: tuple[int, int], start: int) -> PromptInputs:
        """Return texts and vision blocks as they stand, from position `start` on. grid_hw: patches of one frame."""
        ids: list[int] = []
        positions: list[Ints] = []
        vision: list[VisionSegment] = []
        pending = ""
        position = start

        def add_text(text: str) -> None:
            nonlocal position
            tokens = self._tokenize(text)
            ids.extend(tokens)
            positions.append(np.tile(np.arange(position, position + len(tokens)), (3, 1)))
            position += len(tokens)

        for segment in segments:
            if isinstance(segment, TextSegment):
                pending += segment.text
                continue
            add_text(pending + self.family.block_start)
            pending = self.family.block_end
            block, step = self._vision_positions(segment, grid_hw, position)
            is_image = segment.is_image
            ids.extend([self.family.image_token_id if is_image else self.family.video_token_id] * block.shape[1])
            positions.append(block)
            position += step
            vision.append(segment)
        add_text(pending)
        return PromptInputs(np.array(ids, dtype=np.int64), np.concatenate(positions, axis=1), tuple(vision), position)

    def _vision_positions(self, segment: VisionSegment, grid_hw: tuple[int, int], start: int) -> tuple[Ints, int]:
        """Return the positions of one block's tokens, as transformers' ``get_rope_index`` lays them out."""
        rows, columns = (side // self.family.merge_size for side in grid_hw)
        interval = self.family.steps_per_pair(segment)
        return _grid_positions(segment.grid_t, rows, columns, interval) + start, max(rows, columns)

    def _tokenize_anew(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer.encode(without_surrogates(text), add_special_tokens=False))


@lru_cache(maxsize=256)
def _grid_positions(grid_t: int, rows: int, columns: int, interval: float) -> Ints:
    """Return the temporal, height and width positions of a block's tokens, from 0 on; float32 as in transformers."""
    times = np.floor(np.arange(grid_t, dtype=np.float32) * np.float32(interval)).astype(np.int64)
    grid = np.meshgrid(times, np.arange(rows), np.arange(columns), indexing="ij")
    return np.stack(grid).reshape(3, -1)
