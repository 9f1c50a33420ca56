"""Training examples: a video's frames and prompt once, with several questions and answers that share them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from timeground.errors import UserError, VideoError
from timeground.models.family import Family
from timeground.models.prompt import PromptBuilder, PromptInputs
from timeground.profile import Profile
from timeground.prompts import row_answer, row_prompt
from timeground.records import Row, read_rows, resolve_video
from timeground.spans import Span
from timeground.synth.frames import scene_clip, scene_seed
from timeground.synth.rows import make_rows
from timeground.synth.world import SIZES, sample_scene
from timeground.timecode import TimeEncoding, VisionSegment, encode_time, stamp_times_s
from timeground.video.clip import Clip

from .config import DataSettings, StageSettings


@dataclass(frozen=True)
class Turn:
    """A question after the video with its answer. weight: how much each answer token counts in the loss."""

    question: PromptInputs
    answer_ids: list[int]
    weight: float


@dataclass(frozen=True)
class Example:
    """One video with its turns. frames uint8 ``[T, C, H, W]``."""

    frames: torch.Tensor
    prompt: PromptInputs
    turns: list[Turn]

    @property
    def vision(self) -> tuple[VisionSegment, ...]:
        """The vision blocks of the prompt."""
        return self.prompt.vision


@dataclass(frozen=True)
class Encoder:
    """Turns a clip and rows into an example, as a checkpoint's profile says."""

    builder: PromptBuilder
    family: Family
    profile: Profile
    reduction: str = "token"

    def encode(self, clip: Clip, rows: Sequence[Row], as_images: bool = False, snap: bool = False) -> Example:
        """The example of a clip.

        as_images: every second frame as a stamped image, as servers are sent them. snap: true times become
        the stamps nearest to them, so that an answer is a copy of two stamps (TimeLens-7B snaps outward).
        """
        encoding = TimeEncoding.STAMPED_IMAGES if as_images else self.profile.time_encoding
        if as_images:
            clip = _every_second_frame(clip)
        clip, segments = encode_time(clip, encoding, self.profile.stamp)
        grid_hw = (
            clip.frames.shape[2] // self.family.patch_size,
            clip.frames.shape[3] // self.family.patch_size,
        )
        prompts = self.profile.prompts()
        if self.profile.text_first:
            raise UserError("SFT with the question before the video is not supported; set text_first: false")
        prompt = self.builder.prefix(segments, grid_hw, encoding, prompts.opening)
        if snap:
            rows = [snapped(row, stamp_times_s(clip, encoding)) for row in rows]
        return Example(clip.frames, prompt, [self._turn(row, prompt) for row in rows])

    def _turn(self, row: Row, prompt: PromptInputs) -> Turn:
        prompts = self.profile.prompts()
        question = self.builder.question(row_prompt(prompts, row), prompt.next_position)
        ids = self.builder.answer_ids(row_answer(prompts, row))
        power = {"token": 0.0, "square": 0.5, "sequence": 1.0}[self.reduction]
        return Turn(question, ids, len(ids) ** -power)


def snapped(row: Row, stamps_s: Sequence[float]) -> Row:
    """The row with the start and end of each span moved to the nearest stamp."""

    def nearest(time_s: float) -> float:
        return min(stamps_s, key=lambda stamp: abs(stamp - time_s))

    return replace(row, spans=[Span(nearest(s.start_s), nearest(s.end_s)) for s in row.spans])


def _every_second_frame(clip: Clip) -> Clip:
    return replace(clip, frames=clip.frames[::2], frame_times_s=clip.frame_times_s[::2])


class Source(Protocol):
    """Examples by number, the same number always the same example; so a run resumes exactly."""

    def example(self, micro_batch: int, index: int) -> Example:
        """The index-th example of a micro-batch (numbered over the whole run)."""
        ...


@dataclass(frozen=True)
class SynthSource:
    """SynthMoments scenes rendered on the fly; a micro-batch's clips share size and stretch of durations."""

    encoder: Encoder
    data: DataSettings
    seed: int

    def example(self, micro_batch: int, index: int) -> Example:
        """Render a scene and ask some of its rows."""
        seed = scene_seed("train", self.seed, (micro_batch << 16) + index)
        stage = self._stage(micro_batch)
        cycle, place = divmod(micro_batch, len(stage.durations_s))
        order = np.random.default_rng([self.seed, cycle])
        size = SIZES[order.integers(len(SIZES))]
        scene = sample_scene(seed, durations_s=stage.durations_s[place], size=size, simple=stage.simple)
        rng = np.random.default_rng([seed, 31])
        rows = choose_rows(make_rows(scene, f"{seed}.mp4"), stage.kind_weights, self.data.questions_per_video, rng)
        as_images = bool(order.random() < self.data.image_share)
        clip = scene_clip(scene, self.encoder.profile.sampling(self.encoder.family))
        return self.encoder.encode(clip, rows, as_images, snap=stage.snap)

    def _stage(self, micro_batch: int) -> StageSettings:
        for stage in self.data.synth_stages[:-1]:
            if micro_batch < (stage.micro_batches or 0):
                return stage
            micro_batch -= stage.micro_batches or 0
        return self.data.synth_stages[-1]


class RowSource:
    """Rows of a file, grouped by video; each pass is in a new order.

    A video that cannot be read is written to `rejected` once and the next one takes its place.
    """

    def __init__(self, encoder: Encoder, data: DataSettings, seed: int, micro_batch_size: int, rejected: Path) -> None:
        """Read the rows; a file without any is a UserError."""
        self.encoder, self.seed, self.size = encoder, seed, micro_batch_size
        self.root, self.rejected = Path(data.videos), rejected
        self.bad: set[str] = set()
        groups: dict[tuple[str, Span | None], list[Row]] = defaultdict(list)
        for row in read_rows(Path(data.rows or "")):
            groups[row.video, row.window].append(row)
        self.groups = [
            rows[i : i + data.questions_per_video]
            for rows in groups.values()
            for i in range(0, len(rows), data.questions_per_video)
        ]
        if not self.groups:
            raise UserError(f"{data.rows}: no rows to train on")

    def example(self, micro_batch: int, index: int) -> Example:
        """Decode a video and ask its rows."""
        number = micro_batch * self.size + index
        for place in range(number, number + len(self.groups)):
            rows = self._group(place)
            if rows[0].video in self.bad:
                continue
            try:
                return self.encoder.encode(self._clip(rows[0]), rows)
            except VideoError as error:
                self._reject(rows[0].video, str(error))
        raise UserError(f"none of the videos under {self.root} can be read; see {self.rejected}")

    def _group(self, number: int) -> list[Row]:
        turn, place = divmod(number, len(self.groups))
        return self.groups[np.random.default_rng([self.seed, turn]).permutation(len(self.groups))[place]]

    def _clip(self, row: Row) -> Clip:
        from timeground.video.decode import decode

        start_s, end_s = (row.window.start_s, row.window.end_s) if row.window else (None, None)
        sampling = self.encoder.profile.sampling(self.encoder.family)
        return decode(resolve_video(self.root, row.video), sampling, start_s=start_s, end_s=end_s)

    def _reject(self, video: str, reason: str) -> None:
        self.bad.add(video)
        line = json.dumps({"video": video, "reason": reason}) + "\n"
        listed = self.rejected.read_text(encoding="utf-8") if self.rejected.exists() else ""
        if line not in listed:
            with self.rejected.open("a", encoding="utf-8") as file:
                file.write(line)


def choose_rows(rows: Sequence[Row], weights: dict[str, float], count: int, rng: np.random.Generator) -> list[Row]:
    """Up to `count` of a scene's rows, drawn without repeats by the weight of their kind (1 if it has none)."""

    def weight(row: Row) -> float:
        kind = row.meta["kind"]
        return weights.get(f"{kind}:{row.meta.get('action')}", weights.get(kind, 1.0))

    shares: NDArray[np.float64] = np.array([weight(row) for row in rows])
    if not shares.any():  # nothing that is wanted happens in this scene
        shares[:] = 1.0
    count = min(count, int((shares > 0).sum()))
    picked = rng.choice(len(rows), count, replace=False, p=shares / shares.sum())
    return [rows[i] for i in picked]
