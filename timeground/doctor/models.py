"""What time a model's input says, against what time its pixels show.

Both sides are taken from the finished input: the times from the token ids or position ids, and the shown
times from the patches that the vision tower would get, put back together into pictures. No weights needed.

Shape legend: P frame pairs, N patches, V values of a patch, T frames, C channels, H and W pixels.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from timeground.chat.layout import Segment, TimeEncoding, encode_time, origin_s
from timeground.doctor.diagnosis import Readings, Row, attempt, judge, reason
from timeground.doctor.inputs import (
    all_numbers,
    drawn_times_s,
    join_patches,
    last_numbers,
    temporal_positions,
    texts_around,
)
from timeground.doctor.pattern import ClockClip, Times, shown_times_s
from timeground.errors import UserError
from timeground.media.clip import Clip
from timeground.media.decode import decode
from timeground.media.sampling import Sampling
from timeground.models.checkpoint import Checkpoint
from timeground.models.families import Family
from timeground.models.inputs import PromptInputs
from timeground.models.local.towers import cut_patches

ENCODINGS, PROCESSOR, USERS_WAY = "time encoding", "processor", "qwen-vl-utils"
EVEN_SLACK_S = 0.05  # frames taken evenly lie so near to an even spacing
DRAWN_ROUNDING_S = 0.05  # stamps are drawn with one decimal
WINDOW_START_S = 3.0  # of the part of a clip that is looked at alone


def open_checkpoint(name: str) -> Checkpoint:
    """Return a model's checkpoint, its processor read. Raise UserError as `Checkpoint.open` does."""
    with quiet():
        checkpoint = Checkpoint.open(name)
        _ = checkpoint.builder
    return checkpoint


def check_model(subject: Checkpoint, clips: Sequence[ClockClip]) -> list[Row]:
    """Return rows for each time encoding that the family carries, for its own processor, and for qwen-vl-utils."""
    rows: list[Row] = []
    sampling = sampling_of(subject)
    with quiet():
        for source in clips:
            clip = decode(source.path, sampling, num_threads=1).paired()
            if source.offset_s == 0:  # a cut file is a matter of readers, not of inputs
                rows += _check_inputs(subject, clip, source.name)
                if TimeEncoding.MROPE in carried_encodings(subject.family):
                    rows += _check_window(subject, source, sampling)
            rows.append(check_users_way(subject, source))
    return sorted(rows, key=lambda row: (ENCODINGS, PROCESSOR, USERS_WAY).index(row.part))


def _check_inputs(subject: Checkpoint, clip: Clip, name: str) -> list[Row]:
    """Return rows of one clip for each time encoding and for the model's own processor."""
    rows: list[Row] = []
    for encoding in carried_encodings(subject.family):
        what = f"{encoding.value}, {name}"
        rows += attempt(ENCODINGS, what, partial(check_input, subject, clip, encoding, what))
    return rows + attempt(PROCESSOR, name, partial(check_processor, subject, clip, name))


def _check_window(subject: Checkpoint, source: ClockClip, sampling: Sampling) -> list[Row]:
    """Return rows of a part of a clip told by positions, which begin with it: its times are to be the file's."""
    clip = decode(source.path, sampling, num_threads=1, start_s=WINDOW_START_S).paired()
    what = f"{TimeEncoding.MROPE.value}, {source.name} from {WINDOW_START_S:g} s on"
    return attempt(ENCODINGS, what, partial(check_input, subject, clip, TimeEncoding.MROPE, what))


def sampling_of(subject: Checkpoint) -> Sampling:
    """Return the frames that the model would be given, but no larger than a clock needs."""
    sampling = subject.sampling
    enough = 2 * sampling.min_tokens_per_pair
    return replace(sampling, max_tokens_per_pair=min(sampling.max_tokens_per_pair or enough, enough))


def carried_encodings(family: Family) -> list[TimeEncoding]:
    """Return the time encodings that a model family can carry."""
    carried = []
    for encoding in TimeEncoding:
        try:
            family.check_encoding(encoding)
        except UserError:
            continue
        carried.append(encoding)
    return carried


def check_input(subject: Checkpoint, clip: Clip, encoding: TimeEncoding, what: str) -> Row:
    """Check one time encoding: the input that training and evaluation build from a clip (paired)."""
    is_own = encoding is subject.profile.time_encoding
    fed, segments = encode_time(clip, encoding, subject.profile.stamp if is_own else None)
    note = "the way this model is asked" if is_own else ""
    if encoding is TimeEncoding.DRAWN:
        shown_T = shown_times_s(clip.frames)
        said_T = drawn_times_s(fed.frames, clip.frames, clip.duration_s)
        return judge(ENCODINGS, what, Readings(said_T, shown_T.tolist(), DRAWN_ROUNDING_S), note)
    prompt = _prompt(subject, fed, segments, encoding)
    pixels = cut_patches(fed.frames, prompt.vision, subject.family, subject.norm, torch.float32)
    num_pairs = sum(grid[0] for grid in pixels.grids)
    shown_P2 = pair_times_s(subject, pixels.values_NP, (num_pairs, *pixels.grids[0][1:]))
    return judge(ENCODINGS, what, _readings(subject, fed, encoding, prompt, shown_P2), note)


def check_processor(subject: Checkpoint, clip: Clip, what: str) -> Row:
    """Check the model's own processor, told the true times of a clip (paired) in milliseconds.

    Its times are ``frames_indices / fps``, so a rate of 1000 and indices in milliseconds say any times.
    """
    times_s = clip.frame_times_s
    span_ms = float(times_s[-1] - times_s[0]) * 1000
    metadata = {
        "fps": 1000.0,
        "frames_indices": [round(t * 1000) for t in times_s.tolist()],
        "total_num_frames": round(span_ms * clip.num_frames / max(1, clip.num_frames - 1)),
    }
    readings = ask_processor(subject, clip.frames, metadata, lost_s=_unevenness_s(clip))
    return judge(PROCESSOR, what, readings)


def check_users_way(subject: Checkpoint, source: ClockClip) -> Row:
    """Check qwen-vl-utils and the processor, as users run them. Not our code: a warning at most."""
    what = f"fetch_video + processor, {source.name}"
    try:
        from qwen_vl_utils.vision_process import fetch_video
    except Exception as error:
        absent = isinstance(error, ModuleNotFoundError)
        return Row(USERS_WAY, what, "absent" if absent else "warning", note=reason(error))
    sampling, area = sampling_of(subject), subject.family.factor**2
    wanted = {
        "video": str(source.path),
        "fps": sampling.fps,
        "min_pixels": sampling.min_pixels,
        "max_pixels": (sampling.max_tokens_per_pair or 0) * area,
        "total_pixels": sampling.total_tokens * area,
    }
    patch = subject.family.patch_size
    try:
        with redirect_stderr(io.StringIO()):  # it tells which reader it uses
            frames, metadata = fetch_video(wanted, image_patch_size=patch, return_video_metadata=True)
        row = judge(USERS_WAY, what, ask_processor(subject, frames, metadata, offset_s=source.offset_s))
    except Exception as error:
        return Row(USERS_WAY, what, "warning", note=f"broke with {reason(error)}")
    if row.verdict != "FAIL":
        return row
    return Row(USERS_WAY, what, "warning", row.error_s, row.allowed_s, f"{row.note}; use timeground's decode")


def ask_processor(
    subject: Checkpoint,
    frames_TCHW: Tensor,
    metadata: dict[str, Any],
    lost_s: float = 0.0,
    offset_s: float = 0.0,
) -> Readings:
    """Push frames through the model's own processor and read the times back from what it makes."""
    family, tokenizer = subject.family, subject.processor.tokenizer
    ids = [family.vision_start_id, family.video_token_id, family.vision_end_id]
    out = subject.processor(
        text=["".join(tokenizer.convert_ids_to_tokens(ids))],
        videos=[frames_TCHW],
        video_metadata=[metadata],
        do_sample_frames=False,
        do_resize=False,
        return_tensors="pt",
    )
    grid = tuple(out["video_grid_thw"][0].tolist())
    shown_P2 = pair_times_s(subject, out["pixel_values_videos"], grid) - offset_s
    if family.steps_per_s is not None:
        step_s = float(out["second_per_grid_ts"][0])
        said = shown_P2[0, 0] + step_s * np.arange(len(shown_P2))
        return Readings(said.tolist(), shown_P2[:, 0].tolist(), EVEN_SLACK_S, lost_s)
    texts = texts_around(out["input_ids"][0].tolist(), family, tokenizer)
    said_P, allowed_s = last_numbers(texts[:-1])
    return Readings(said_P, shown_P2.mean(axis=1).tolist(), allowed_s)


def pair_times_s(subject: Checkpoint, values_NV: Tensor, grid: tuple[int, ...]) -> Times:
    """Return the times that the two frames of each pair show, float64 ``[P, 2]``, read from a grid's patches."""
    return shown_times_s(join_patches(values_NV, grid, subject.family, subject.norm)).reshape(-1, 2)


def _readings(
    subject: Checkpoint, clip: Clip, encoding: TimeEncoding, prompt: PromptInputs, shown_P2: Times
) -> Readings:
    """Return the time that each pair is said to have, in the way of an encoding."""
    texts = texts_around(prompt.ids_L.tolist(), subject.family, subject.processor.tokenizer)
    shown = shown_P2.mean(axis=1) if encoding is TimeEncoding.NATIVE else shown_P2[:, 0]
    if encoding is TimeEncoding.MROPE:
        step_s = 1.0 / (subject.family.steps_per_s or 1.0)
        steps = temporal_positions(prompt, subject.family, len(shown))
        told = origin_s(encoding, clip.start_s) + steps * step_s
        return Readings(told.tolist(), shown.tolist(), step_s, _unevenness_s(clip))
    if encoding is TimeEncoding.INTERLEAVED_INDEX:
        numbers, _ = last_numbers(texts[:-1])
        said = float(clip.frame_times_s[0]) + np.array(numbers) * _seconds_per_pair(clip)
        return Readings(said.tolist(), shown.tolist(), EVEN_SLACK_S, _unevenness_s(clip))
    is_list = encoding is TimeEncoding.LISTED_SECONDS
    said_P, allowed_s = all_numbers(texts[-1]) if is_list else last_numbers(texts[:-1])
    return Readings(said_P, shown.tolist(), allowed_s)


def _seconds_per_pair(clip: Clip) -> float:
    """Return the mean time from one pair to the next."""
    span_s = float(clip.frame_times_s[-1] - clip.frame_times_s[0])
    return 2 * span_s / max(1, clip.num_frames - 1)


def _unevenness_s(clip: Clip) -> float:
    """Return how far a pair's first frame is, at most, from where an even spacing would have it."""
    first_P = clip.pair_times_s()[:, 0].numpy()
    return float(np.abs(first_P - first_P[0] - np.arange(len(first_P)) * _seconds_per_pair(clip)).max())


def _prompt(subject: Checkpoint, clip: Clip, segments: list[Segment], encoding: TimeEncoding) -> PromptInputs:
    """Return the prompt around a clip, as the local model builds it."""
    grid_hw = subject.family.grid_hw(*clip.frames.shape[2:])
    if subject.profile.text_first:
        return subject.builder.text_first("When does it happen?", segments, grid_hw)
    return subject.builder.prefix(segments, grid_hw, encoding)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' warnings out of the report."""
    from transformers.utils import logging as hf_logging

    before = hf_logging.get_verbosity()
    hf_logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        hf_logging.set_verbosity(before)
