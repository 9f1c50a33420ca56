"""What time a model's input says, against what time its pixels show.

Both sides are taken from the finished input: the times from the token ids or position ids, and the shown times
from the patches that the vision tower would get, put back together into pictures. No weights are needed.

Shape legend: P frame pairs, N patches, V values of a patch, T frames, C channels, H and W pixels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from timeground.clock import ClockClip, Times, shown_times_s
from timeground.diagnosis import Readings, Row, attempt, judge, reason
from timeground.drawn_clock import drawn_times_s
from timeground.errors import UserError
from timeground.models.family import Family, family_of
from timeground.models.loading import Loaded, load_processor, normalisation, resolve
from timeground.models.prompt import PromptBuilder, PromptInputs
from timeground.models.vision import Normalisation, cut_patches
from timeground.profile import Profile, profile_for
from timeground.timecode import Segment, TimeEncoding, VisionSegment, check_encoding, encode_time
from timeground.video.clip import Clip
from timeground.video.decode import decode

ENCODINGS, PROCESSOR, USERS_WAY = "time encoding", "processor", "qwen-vl-utils"
EVEN_SLACK_S = 0.05  # frames taken at an even spacing lie this near to it; also half a unit of one-decimal stamps
NUMBER = re.compile(r"\d+(?:\.(\d+))?")


@dataclass(frozen=True)
class Subject:
    """A checkpoint without its weights."""

    processor: Any
    family: Family
    norm: Normalisation
    builder: PromptBuilder
    profile: Profile


def open_model(name: str) -> Subject:
    """Configuration, processor and profile of a model, by folder, Hub id or ``tiny``.

    Raises: UserError.
    """
    path = resolve(name)
    with quiet():
        processor = load_processor(path)
        family = family_of(_configuration(path), name)
        loaded = Loaded(None, processor, family, normalisation(processor), path)
        return Subject(processor, family, loaded.norm, loaded.builder(), profile_for(path, family.name))


def check_model(subject: Subject, clips: Sequence[ClockClip]) -> list[Row]:
    """Rows for each time encoding that the family carries, for its own processor, and for qwen-vl-utils."""
    rows: list[Row] = []
    sampling = subject.profile.sampling(subject.family)
    with quiet():
        for source in clips:
            clip = decode(source.path, sampling, num_threads=1).paired()
            if source.offset_s == 0:  # cut files differ for readers only
                for encoding in carried_encodings(subject.family):
                    what = f"{encoding.value}, {source.name}"
                    rows += attempt(ENCODINGS, what, lambda c=clip, e=encoding, w=what: check_input(subject, c, e, w))
                rows += attempt(PROCESSOR, source.name, lambda c=clip, s=source: check_processor(subject, c, s.name))
            rows.append(check_users_way(subject, source))
    return sorted(rows, key=lambda row: (ENCODINGS, PROCESSOR, USERS_WAY).index(row.part))


def carried_encodings(family: Family) -> list[TimeEncoding]:
    """The time encodings that a model family can carry."""
    carried = []
    for encoding in TimeEncoding:
        try:
            check_encoding(encoding, family.name)
        except UserError:
            continue
        carried.append(encoding)
    return carried


def check_input(subject: Subject, clip: Clip, encoding: TimeEncoding, what: str) -> Row:
    """One time encoding: the input that training and evaluation build from a clip (paired)."""
    is_own = encoding is subject.profile.time_encoding
    fed, segments = encode_time(clip, encoding, subject.profile.stamp if is_own else None)
    note = "the way this model is asked" if is_own else ""
    if encoding is TimeEncoding.DRAWN:
        shown_T = shown_times_s(clip.frames)
        said_T = drawn_times_s(fed.frames, clip.frames, clip.duration_s)
        return judge(ENCODINGS, what, Readings(said_T, shown_T.tolist(), EVEN_SLACK_S), note)
    prompt = _prompt(subject, fed, segments, encoding)
    pixels = cut_patches(fed.frames, prompt.vision, subject.family, subject.norm, torch.float32)
    num_pairs = sum(grid[0] for grid in pixels.grids)
    shown_P2 = pair_times_s(subject, pixels.values_NP, (num_pairs, *pixels.grids[0][1:]))
    return judge(ENCODINGS, what, _readings(subject, fed, encoding, prompt, shown_P2), note)


def check_processor(subject: Subject, clip: Clip, what: str) -> Row:
    """The model's own processor, told the true times of a clip (paired) in milliseconds.

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


def check_users_way(subject: Subject, source: ClockClip) -> Row:
    """qwen-vl-utils and the processor, as users run them. What is wrong here is not ours: a warning at most."""
    what = f"fetch_video + processor, {source.name}"
    try:
        from qwen_vl_utils.vision_process import fetch_video
    except Exception as error:
        absent = isinstance(error, ModuleNotFoundError)
        return Row(USERS_WAY, what, "absent" if absent else "warning", note=reason(error))
    profile, area = subject.profile, subject.family.factor**2
    wanted = {
        "video": str(source.path),
        "fps": profile.fps,
        "min_pixels": profile.min_tokens_per_pair * area,
        "total_pixels": profile.total_tokens * area,
    }
    try:
        frames, metadata = fetch_video(
            wanted, image_patch_size=subject.family.patch_size, return_video_metadata=True
        )
        row = judge(USERS_WAY, what, ask_processor(subject, frames, metadata, offset_s=source.offset_s))
    except Exception as error:
        return Row(USERS_WAY, what, "warning", note=f"broke with {reason(error)}")
    if row.verdict != "FAIL":
        return row
    return Row(USERS_WAY, what, "warning", row.error_s, row.allowed_s, f"{row.note}; use timeground's decode")


def ask_processor(
    subject: Subject, frames_TCHW: Tensor, metadata: dict[str, Any], lost_s: float = 0.0, offset_s: float = 0.0
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
    if family.tokens_per_second is not None:
        step_s = float(out["second_per_grid_ts"][0])
        said = shown_P2[0, 0] + step_s * np.arange(len(shown_P2))
        return Readings(said.tolist(), shown_P2[:, 0].tolist(), EVEN_SLACK_S, lost_s)
    texts = texts_around(out["input_ids"][0].tolist(), family, tokenizer)
    said_P, allowed_s = _last_numbers(texts[:-1])
    return Readings(said_P, shown_P2.mean(axis=1).tolist(), allowed_s)


def pair_times_s(subject: Subject, values_NV: Tensor, grid: tuple[int, ...]) -> Times:
    """The times that the two frames of each pair show, float64 ``[P, 2]``, read from a grid's patches."""
    return shown_times_s(join_patches(values_NV, grid, subject.family, subject.norm)).reshape(-1, 2)


def join_patches(values_NV: Tensor, grid: tuple[int, ...], family: Family, norm: Normalisation) -> Tensor:
    """The frames ``[T, C, H, W]`` (0 to 255) that patches were cut from; the inverse of ``vision.cut_patches``."""
    pairs, rows, columns = grid
    patch, merge = family.patch_size, family.merge_size
    x = values_NV.view(pairs, rows // merge, columns // merge, merge, merge, 3, 2, patch, patch)
    frames = x.permute(0, 6, 5, 1, 3, 7, 2, 4, 8).reshape(2 * pairs, 3, rows * patch, columns * patch)
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (norm.mean, norm.std))
    return (frames.float() * std + mean) * 255


def texts_around(ids: Sequence[int], family: Family, tokenizer: Any) -> list[str]:
    """The text before each block of visual tokens, and that after the last."""
    visual = {family.image_token_id, family.video_token_id}
    texts: list[list[int]] = [[]]
    for before, token in zip([None, *ids], ids, strict=False):
        if token not in visual:
            texts[-1].append(token)
        elif before not in visual:
            texts.append([])
    return [tokenizer.decode(text, skip_special_tokens=True) for text in texts]


def _readings(
    subject: Subject, clip: Clip, encoding: TimeEncoding, prompt: PromptInputs, shown_P2: Times
) -> Readings:
    """The time that each pair is said to have, in the way of an encoding."""
    texts = texts_around(prompt.ids_L.tolist(), subject.family, subject.processor.tokenizer)
    shown = shown_P2.mean(axis=1) if encoding is TimeEncoding.NATIVE else shown_P2[:, 0]
    if encoding is TimeEncoding.MROPE:
        step_s = 1.0 / (subject.family.tokens_per_second or 1.0)
        steps = _temporal_positions(prompt, subject.family, len(shown))
        return Readings((shown[0] + steps * step_s).tolist(), shown.tolist(), step_s, _unevenness_s(clip))
    if encoding is TimeEncoding.INTERLEAVED_INDEX:
        numbers, _ = _last_numbers(texts[:-1])
        said = float(clip.frame_times_s[0]) + np.array(numbers) * _seconds_per_pair(clip)
        return Readings(said.tolist(), shown.tolist(), EVEN_SLACK_S, _unevenness_s(clip))
    if encoding is TimeEncoding.LISTED_SECONDS:
        found = list(NUMBER.finditer(texts[-1]))
        return Readings([float(n[0]) for n in found], shown.tolist(), max(map(_rounding_s, found), default=0.0))
    said_P, allowed_s = _last_numbers(texts[:-1])
    return Readings(said_P, shown.tolist(), allowed_s)


def _last_numbers(texts: Sequence[str]) -> tuple[list[float], float]:
    """The number that stands last in each text (NaN where there is none), and half a unit of their last digit."""
    found = [list(NUMBER.finditer(text)) for text in texts]
    numbers = [float(matches[-1][0]) if matches else np.nan for matches in found]
    return numbers, max((_rounding_s(matches[-1]) for matches in found if matches), default=0.0)


def _rounding_s(number: re.Match[str]) -> float:
    """Half a unit of a number's last digit."""
    return float(0.5 * 10.0 ** -len(number[1] or ""))


def _temporal_positions(prompt: PromptInputs, family: Family, num_pairs: int) -> Times:
    """Temporal position of each pair, counted from the first pair's."""
    positions = prompt.positions_3L[0, prompt.ids_L == family.video_token_id].reshape(num_pairs, -1)[:, 0]
    return np.asarray(positions - positions[0], dtype=np.float64)


def _seconds_per_pair(clip: Clip) -> float:
    """Mean time from one pair to the next."""
    span_s = float(clip.frame_times_s[-1] - clip.frame_times_s[0])
    return 2 * span_s / max(1, clip.num_frames - 1)


def _unevenness_s(clip: Clip) -> float:
    """How far a pair's first frame is, at most, from where an even spacing would have it."""
    first_P = clip.pair_times_s()[:, 0].numpy()
    return float(np.abs(first_P - first_P[0] - np.arange(len(first_P)) * _seconds_per_pair(clip)).max())


def _prompt(
    subject: Subject, clip: Clip, segments: list[Segment], encoding: TimeEncoding
) -> PromptInputs:
    """The prompt around a clip, as the local backend builds it."""
    patch = subject.family.patch_size
    grid_hw = (clip.frames.shape[2] // patch, clip.frames.shape[3] // patch)
    if subject.profile.text_first:
        return subject.builder.text_first("When does it happen?", segments, grid_hw)
    return subject.builder.prefix(segments, grid_hw, encoding, subject.profile.prompts().opening)


def _configuration(path: str) -> Any:
    """A model's transformers configuration."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(path)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"model {path!r} cannot be loaded: {reason(error)}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' warnings out of the report."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)
