"""Which frames of a video to look at, and how large, under a budget of visual tokens. Pure arithmetic.

The rule is TimeLens's (https://github.com/TencentARC/TimeLens, CVPR 2026), through qwen-vl-utils 0.0.14's
``smart_nframes`` and ``smart_resize``: frames are taken at a fixed rate, and each is made as large as the
budget allows, so that a short clip gets large frames and a long one shrinks towards a minimum. One visual
token of Qwen's models covers ``factor x factor`` pixels of two frames (a pair).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from timeground.errors import UserError

FRAMES_PER_PAIR = 2
MAX_TOKENS_PER_PAIR = 768  # qwen-vl-utils' VIDEO_MAX_TOKEN_NUM: no frame gets more, however short the clip
MAX_ASPECT_RATIO = 200  # qwen-vl-utils' MAX_RATIO
MIN_PIXELS_MARGIN = 1.05  # the ceiling stays this much above the floor, so that a size can be found


@dataclass(frozen=True)
class Sampling:
    """How many frames and how many pixels a clip may cost."""

    fps: float = 2.0
    """Frames taken per second of video."""
    min_tokens_per_pair: int = 64
    """Visual tokens of two frames, at least."""
    total_tokens: int = 14336
    """Visual tokens of the whole clip."""
    factor: int = 28
    """Side of one token in pixels: 28 for Qwen2.5-VL, 32 for Qwen3-VL."""
    max_tokens_per_pair: int | None = None
    """Visual tokens of two frames, at most; None: no cap of your own."""
    max_frames: int | None = None
    """Most frames in all; None: as many as the budget holds at the minimal size."""
    min_frames: int = 4
    """Fewest frames in all, where the file has as many."""

    def __post_init__(self) -> None:
        """Refuse a budget that no clip can meet."""
        if not (math.isfinite(self.fps) and self.fps > 0):
            raise UserError(f"sampling: fps must be a positive number, got {self.fps}")
        for name in ("min_tokens_per_pair", "total_tokens", "factor", "min_frames"):
            if getattr(self, name) < 1:
                raise UserError(f"sampling: {name} must be at least 1, got {getattr(self, name)}")
        if self.max_frames is not None and self.max_frames < FRAMES_PER_PAIR:
            raise UserError(f"sampling: max_frames must be at least 2 (one pair), got {self.max_frames}")
        if self.max_tokens_per_pair is not None and self.max_tokens_per_pair < self.min_tokens_per_pair:
            raise UserError(
                f"sampling: max_tokens_per_pair ({self.max_tokens_per_pair}) is below "
                f"min_tokens_per_pair ({self.min_tokens_per_pair}): raise one or lower the other"
            )

    @property
    def frame_limit(self) -> int:
        """Return the most frames a clip may have; it is even."""
        limit = self.max_frames
        if limit is None:
            limit = FRAMES_PER_PAIR * self.total_tokens // self.min_tokens_per_pair
        return max(FRAMES_PER_PAIR, _floor_to(limit, FRAMES_PER_PAIR))

    @property
    def min_pixels(self) -> int:
        """Return the fewest pixels of one frame."""
        return self.min_tokens_per_pair * self.factor**2


def num_frames(duration_s: float, sampling: Sampling, available: int | None = None) -> int:
    """Return how many frames to take from ``duration_s`` seconds: even, as qwen-vl-utils' ``smart_nframes``.

    available: how many frames there are; never more are taken, and a single one is taken alone (qwen-vl-utils
    raises there; ``Clip.paired`` repeats it). Unlike there, a duration that is a rounding error short of a
    whole number of pairs is not cut by a pair.
    """
    wanted = duration_s * sampling.fps * (1 + 1e-9)
    fewest = math.ceil(sampling.min_frames / FRAMES_PER_PAIR) * FRAMES_PER_PAIR
    count = min(max(wanted, fewest), sampling.frame_limit)
    if available is not None:
        if available < FRAMES_PER_PAIR:
            return available
        count = min(count, available)
    return _floor_to(count, FRAMES_PER_PAIR)


def target_times_s(first_s: float, last_s: float, n: int) -> list[float]:
    """Return ``n`` evenly spaced times from the first frame's to the last frame's.

    Both ends are included, as in qwen-vl-utils' ``linspace`` over frame numbers: so the list is its own mirror
    image, and a reversed clip keeps its stamps.
    """
    if n <= 1:
        return [first_s] * n
    step_s = (last_s - first_s) / (n - 1)
    return [first_s + k * step_s for k in range(n - 1)] + [last_s]


def frame_size(height: int, width: int, num_frames: int, sampling: Sampling) -> tuple[int, int]:
    """Return the height and width, in pixels, to which each of ``num_frames`` frames is scaled.

    Both are multiples of ``sampling.factor``; the same numbers as qwen-vl-utils' ``fetch_video`` gives with
    ``min_pixels``, ``total_pixels`` (and ``max_pixels``) set to the budget's tokens times ``factor**2``.

    Raise UserError if the picture is more than 200 times longer than wide (or the other way round).
    """
    if min(height, width) < 1:
        raise UserError(f"a frame of {width} x {height} pixels has nothing to show")
    if max(height, width) / min(height, width) > MAX_ASPECT_RATIO:
        raise UserError(
            f"a frame of {width} x {height} pixels is too long and narrow: the longer side may be at most "
            f"{MAX_ASPECT_RATIO} times the shorter; crop or pad the video"
        )
    return _fit(height, width, sampling.factor, sampling.min_pixels, _max_pixels(num_frames, sampling))


def _max_pixels(num_frames: int, sampling: Sampling) -> float:
    """Return the pixel ceiling of one frame: its share of the budget, but never below the floor and some margin."""
    area = sampling.factor**2
    share = sampling.total_tokens * area / max(num_frames, 1) * FRAMES_PER_PAIR
    ceiling = max(min(MAX_TOKENS_PER_PAIR * area, share), int(sampling.min_pixels * MIN_PIXELS_MARGIN))
    if sampling.max_tokens_per_pair is not None:
        ceiling = min(ceiling, sampling.max_tokens_per_pair * area)
    return ceiling


def _fit(height: int, width: int, factor: int, min_pixels: float, max_pixels: float) -> tuple[int, int]:
    """Return the nearest multiples of ``factor`` with an area within the bounds, as qwen-vl-utils' ``smart_resize``."""
    fitted_height = max(factor, round(height / factor) * factor)
    fitted_width = max(factor, round(width / factor) * factor)
    if fitted_height * fitted_width > max_pixels:
        shrink = math.sqrt(height * width / max_pixels)
        # Of long narrow pictures qwen-vl-utils makes the short side 0 and dies; one token is the least.
        fitted_height = max(factor, _floor_to(height / shrink, factor))
        fitted_width = max(factor, _floor_to(width / shrink, factor))
    elif fitted_height * fitted_width < min_pixels:
        grow = math.sqrt(min_pixels / (height * width))
        fitted_height = math.ceil(height * grow / factor) * factor
        fitted_width = math.ceil(width * grow / factor) * factor
    return fitted_height, fitted_width


def _floor_to(number: float, multiple: int) -> int:
    """Return the largest multiple of ``multiple`` that is not above ``number``."""
    return math.floor(number / multiple) * multiple
