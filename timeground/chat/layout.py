"""How time is written into a model's input: an ordered list of text and vision segments.

Every model builds its input from these segments. Sources of the encodings: TimeLens (interleaved seconds and
frame index, listed seconds, overlay), Qwen3-VL (its own stamps), Qwen2.5-VL (time in the position ids).
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from enum import StrEnum

import torch

from timeground.errors import UserError
from timeground.media.clip import Clip


class TimeEncoding(StrEnum):
    """The ways of telling a model when a frame was taken."""

    INTERLEAVED_SECONDS = "interleaved-seconds"
    """A stamp in seconds before each frame pair: the time of the pair's first frame (TimeLens-7B)."""
    INTERLEAVED_INDEX = "interleaved-index"
    """The number of the frame pair before each pair: loses uneven spacing (TimeLens's ablation)."""
    LISTED_SECONDS = "listed-seconds"
    """The frames first, then one list of their times."""
    NATIVE = "native"
    """Qwen3-VL's own stamps: ``<2.0 seconds>``, the mean time of a pair, as its processor writes them."""
    STAMPED_IMAGES = "stamped-images"
    """Frames as separate images with Qwen3-VL's stamps: what a server that takes images is sent."""
    MROPE = "mrope"
    """No text; time only in Qwen2.5-VL's temporal position ids."""
    DRAWN = "drawn"
    """The time is drawn on each frame; no text."""


@dataclass(frozen=True)
class TextSegment:
    """A piece of text in the prompt."""

    text: str


@dataclass(frozen=True)
class VisionSegment:
    """Consecutive frames of a (paired) clip that form one vision block."""

    first_frame: int
    num_frames: int
    """One for an image."""
    is_image: bool = False
    seconds_per_pair: float = 1.0
    """Spacing of the temporal positions, where the model family has them."""

    @property
    def grid_t(self) -> int:
        """Return the temporal size of the block's grid: frame pairs, 1 for an image."""
        return 1 if self.is_image else self.num_frames // 2


Segment = TextSegment | VisionSegment
MAX_STAMP = 100
_FORMAT = re.compile(r"[0-9]{0,2}(?:\.[0-9]{1,2})?[fdg]?")
DEFAULT_STAMPS = {
    TimeEncoding.INTERLEAVED_SECONDS: "{seconds:.1f}s",
    TimeEncoding.INTERLEAVED_INDEX: "{index}",
    TimeEncoding.LISTED_SECONDS: "{seconds:.1f}s",
    TimeEncoding.NATIVE: "<{seconds:.1f} seconds>",
    TimeEncoding.STAMPED_IMAGES: "<{seconds:.1f} seconds>",
}


def origin_s(encoding: TimeEncoding, start_s: float) -> float:
    """Return the second of the file that a model calls 0, where it is shown the file from ``start_s`` on.

    Stamps say the file's own time. Position ids count from the first frame that is shown, so a model that knows time
    by them alone answers in seconds of the window, and has to be trained so.
    """
    return start_s if encoding is TimeEncoding.MROPE else 0.0


def encode_time(clip: Clip, encoding: TimeEncoding, stamp: str | None = None) -> tuple[Clip, list[Segment]]:
    """Return the clip to feed (paired; with the time drawn on it where asked) and its segments of the prompt.

    stamp: a template with ``{seconds}`` or ``{index}`` for the stamp's text, default `DEFAULT_STAMPS`.
    """
    stamp = stamp or DEFAULT_STAMPS.get(encoding, "")
    if encoding is TimeEncoding.STAMPED_IMAGES:
        return clip, _stamped_images(clip, stamp)
    clip = clip.paired()
    if encoding is TimeEncoding.DRAWN:
        clip = draw_times(clip)
    if encoding in (TimeEncoding.MROPE, TimeEncoding.DRAWN):
        return clip, [_whole(clip)]
    if encoding is TimeEncoding.LISTED_SECONDS:
        times = ", ".join(_write(stamp, t, i) for i, t in enumerate(stamp_times_s(clip, encoding)))
        return clip, [_whole(clip), TextSegment(f"The frame pairs were taken at: {times}.\n")]
    segments: list[Segment] = []
    for index, seconds in enumerate(stamp_times_s(clip, encoding)):
        segments.append(TextSegment(_write(stamp, seconds, index)))
        segments.append(VisionSegment(2 * index, 2))
    return clip, segments


def stamp_times_s(clip: Clip, encoding: TimeEncoding) -> list[float]:
    """Return the time that each stamp (or each frame pair) stands for, in seconds."""
    if encoding is TimeEncoding.STAMPED_IMAGES:
        return [float(t) for t in clip.frame_times_s]
    pairs = clip.pair_times_s()
    times = pairs.mean(dim=1) if encoding is TimeEncoding.NATIVE else pairs[:, 0]
    return [float(t) for t in times]


def draw_times(clip: Clip) -> Clip:
    """Return the clip with each frame's time in its lower left corner (NumPro-style overlay)."""
    from dataclasses import replace

    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    height = clip.frames.shape[2]
    font = ImageFont.load_default(size=max(8, height // 8))
    drawn = []
    for frame, seconds in zip(clip.frames, clip.frame_times_s.tolist(), strict=True):
        image = Image.fromarray(frame.permute(1, 2, 0).contiguous().numpy())
        place = (2, height - 2)
        ImageDraw.Draw(image).text(
            place,
            f"{seconds:.1f}s",
            font=font,
            anchor="lb",
            fill="white",
            stroke_width=1,
            stroke_fill="black",
        )
        drawn.append(torch.from_numpy(np.array(image)).permute(2, 0, 1))
    return replace(clip, frames=torch.stack(drawn))


def check_stamp(stamp: str) -> None:
    """Refuse a stamp's template that is more than a short text with ``{seconds}`` and ``{index}``.

    A template can come with any model's folder, and a format can ask for gigabytes (``{seconds:999999999.1f}``).
    """
    hint = "it may use {seconds} and {index}, with up to two digits before and after the point of a format"
    if len(stamp) > MAX_STAMP:
        raise UserError(f"stamp template {stamp[:40]!r}...: {len(stamp)} characters, at most {MAX_STAMP} are taken")
    try:
        for _, name, how, conversion in string.Formatter().parse(stamp):
            if name is not None and (
                name not in ("seconds", "index") or conversion or not _FORMAT.fullmatch(how or "")
            ):
                raise UserError(f"stamp template {stamp!r}: {hint}")
        stamp.format(seconds=1.5, index=1)
    except ValueError as error:
        raise UserError(f"stamp template {stamp!r}: {error}; {hint}") from None


def _whole(clip: Clip) -> VisionSegment:
    times = clip.frame_times_s
    span_s = float(times[-1] - times[0])
    seconds_per_pair = 2 * span_s / (len(times) - 1) if span_s > 0 else 1.0
    return VisionSegment(0, clip.num_frames, seconds_per_pair=seconds_per_pair)


def _stamped_images(clip: Clip, stamp: str) -> list[Segment]:
    segments: list[Segment] = []
    for index, seconds in enumerate(clip.frame_times_s.tolist()):
        segments.append(TextSegment(_write(stamp, seconds, index)))
        segments.append(VisionSegment(index, 1, is_image=True))
    return segments


def _write(stamp: str, seconds: float, index: int) -> str:
    try:
        return stamp.format(seconds=seconds, index=index)
    except (KeyError, IndexError, ValueError) as error:
        raise UserError(f"stamp template {stamp!r}: {error}; it may use {{seconds}} and {{index}}") from None
