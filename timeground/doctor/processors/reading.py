"""What a processor tells a model of time: in its prompt, in a tensor, or drawn into frames; and what the frames show.

The truth is in the pixels. They are looked at after the processor has taken its sample of the frames and before it
resizes and cuts them, so each family's own patches need not be undone.
"""

from __future__ import annotations

import inspect
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from timeground.doctor.models import quiet
from timeground.doctor.pattern import shown_times_s
from timeground.doctor.processors.clips import TimedClip, Way

UNTIMED, UNKNOWN = "no time", "not known"
DRAWN, POSITIONS = "drawn into the frame", "position ids"
STEP_KEYS = ("second_per_grid_ts", "video_second_per_grid")  # seconds from one temporal position to the next
SMALLEST_AREA = 56 * 56  # pixels
TIME_KEY = re.compile(r"second|stamp|fps|time(?!sformer)")
INDEX_ONLY = re.compile(r"[Ff]rame ?\d+|<\|image_id_start\|>\d+<\|image_id_end\|>|<\|[^|]*\|>|<[^<>]*>")


@dataclass(frozen=True)
class Format:
    """A way of writing a time; the groups of its pattern are hours, minutes and seconds, as many as it has."""

    name: str
    pattern: re.Pattern[str]


FORMATS = (
    Format("`<2.0 seconds>` before each block", re.compile(r"<(\d+\.\d+) seconds>")),
    Format("`]<]2.0 seconds[>[` before each block", re.compile(r"\]<\](\d+\.\d+) seconds\[>\[")),
    Format("`Frame 1 sampled at 2.00 seconds`", re.compile(r"[Ff]rame \d+ sampled at (\d+\.\d+) seconds")),
    Format("`2.0 seconds` after each block", re.compile(r"<\|end_of_image\|>(\d+\.\d+) seconds")),
    Format("`2` after each block", re.compile(r"<\|end_of_image\|>(\d+)(?![\d.])")),
    Format("`Time 2.0s:` before each frame", re.compile(r"Time (\d+\.\d+)s:")),
    Format("`Time: 2.0s` before each block", re.compile(r"Time: (\d+\.\d+)s")),
    Format("`00:00:02.000` before each block", re.compile(r"(\d\d):(\d\d):(\d\d\.\d+)")),
    Format("`Frame from 00:02:`", re.compile(r"Frame from (\d+):(\d\d):")),
    Format("`00:02` before each frame", re.compile(r"(?<![\d:])(\d\d+):(\d\d)(?![\d:.])")),
    Format("`2.0` before each frame", re.compile(r"(\d+\.\d+) <(?:frame|im)_start>")),
)


@dataclass(frozen=True)
class Told:
    """What a model was told, and what it was shown beside it. Seconds."""

    how: str
    """The name of a format, or where else the time stands; `UNTIMED` or `UNKNOWN`."""
    times_s: tuple[float, ...] = ()
    """One for each frame, or for each block of frames that become the same tokens."""
    unit_s: float = 0.0
    """The smallest step in which the times are told."""
    frames_s: tuple[float, ...] = ()
    """What each frame shows that the processor took."""
    block: int = 1
    """Frames to a told time."""
    note: str = ""

    def shown_s(self) -> list[tuple[float, float]]:
        """Return the times of the first and last frame of each block."""
        blocks = [self.frames_s[k : k + self.block] for k in range(0, len(self.frames_s), self.block)]
        return [(block[0], block[-1]) for block in blocks]


@dataclass
class Watch:
    """What went through a processor while it was watched."""

    frames: list[Any] = field(default_factory=list)
    drawn: list[str] = field(default_factory=list)


def ask(processor: Any, clip: TimedClip, way: Way, options: dict[str, Any]) -> Told:
    """Hand a clip to a processor in one way, and read what it tells. Raise whatever the processor raises."""
    arguments = {"text": str(processor.video_token), "return_tensors": "pt", **_small(processor), **options}
    given, note = clip.arguments(way), ""
    if "videos" not in inspect.signature(type(processor).__call__).parameters:
        given["images"] = given.pop("videos")
    with quiet(), warnings.catch_warnings(), watched(processor) as watch:
        warnings.simplefilter("ignore")
        try:
            out = processor(**arguments, **given)
        except KeyError as error:
            if error.args != ("video_metadata",):
                raise
            note = "only with `return_metadata=True`; without it: KeyError: 'video_metadata'"
            watch.frames.clear()
            out = processor(**arguments, **given, return_metadata=True)
    frames_s = [
        time_s * clip.slowness
        for videos in watch.frames[-1:]
        for time_s in shown_times_s(torch.as_tensor(videos[0])).tolist()
    ]
    how, times_s, unit_s = _told(processor, out, watch)
    block = _block_size(processor, len(times_s), len(frames_s)) if times_s else 1
    return Told(how, tuple(times_s), unit_s, tuple(frames_s), block, note)


@contextmanager
def watched(processor: Any) -> Iterator[Watch]:
    """Keep the frames that a processor takes, and the texts that it would draw into them (they stay undrawn)."""
    watch, video_processor = Watch(), processor.video_processor
    prepare = video_processor._prepare_input_videos

    def keep(videos: Any, *args: Any, **kwargs: Any) -> Any:
        watch.frames.append(videos)
        return prepare(videos, *args, **kwargs)

    def draw(image: Any, timestamp: str, *args: Any, **kwargs: Any) -> Any:
        watch.drawn.append(timestamp)
        return image

    hooks = {"_prepare_input_videos": keep, "_render_image_with_timestamp": draw}
    hooked = [name for name in hooks if hasattr(video_processor, name)]
    for name in hooked:
        setattr(video_processor, name, hooks[name])
    try:
        yield watch
    finally:
        for name in hooked:
            delattr(video_processor, name)


def read_text(text: str) -> tuple[str, list[float], float]:
    """Return the format that a prompt's times have, the times, and the unit of their last digit."""
    for form in FORMATS:
        found = form.pattern.findall(text)
        if found:
            parts = [match if isinstance(match, tuple) else (match,) for match in found]
            decimals = len(parts[0][-1].partition(".")[2])
            return form.name, [_seconds(part) for part in parts], 10.0**-decimals
    rest = INDEX_ONLY.sub("", text)
    return (UNKNOWN if re.search(r"\d", rest) else UNTIMED), [], 0.0


def _told(processor: Any, out: Any, watch: Watch) -> tuple[str, list[float], float]:
    """Return where the time stands, the times, and their unit."""
    if watch.drawn:
        how, times_s, unit_s = read_text(" ".join(_hours(text) for text in watch.drawn))
        return f"{DRAWN}, `{watch.drawn[0]}`", times_s, unit_s
    how, times_s, unit_s = read_text(processor.tokenizer.decode(out["input_ids"][0], skip_special_tokens=False))
    if times_s:
        return how, times_s, unit_s
    step_key = next((key for key in STEP_KEYS if key in out), None)
    if step_key is not None:
        step_s = float(out[step_key][0])
        return f"{POSITIONS}, `{step_key}`", [k * step_s for k in range(int(out["video_grid_thw"][0][0]))], 0.0
    strange = next((key for key in out if TIME_KEY.search(key)), None)
    return (f"{UNKNOWN}: `{strange}`" if strange else how), [], 0.0


def _small(processor: Any) -> dict[str, Any]:
    """Return a size that keeps the frames as small as they are, where the default would enlarge them."""
    size = getattr(processor.video_processor, "size", None) or {}
    shortest, longest = (size.get(f"{which}_edge") for which in ("shortest", "longest"))
    if not (shortest and longest) or shortest < SMALLEST_AREA:  # where it is an edge, not an area
        return {}
    return {"size": {"shortest_edge": SMALLEST_AREA, "longest_edge": longest}}


def _hours(drawn: str) -> str:
    """Return a drawn `time: 00:00:02.00` as the same time without the word."""
    return drawn.removeprefix("time: ")


def _seconds(parts: Sequence[str]) -> float:
    """Return seconds of hours, minutes and seconds, the last first."""
    return sum(float(part) * 60.0**place for place, part in enumerate(reversed(parts)))


def _block_size(processor: Any, num_times: int, num_frames: int) -> int:
    """Return how many frames share a told time; 0 if the numbers do not fit."""
    video = processor.video_processor
    sizes = [1, getattr(video, "temporal_patch_size", None), getattr(processor, "video_temporal_patch_dim", None)]
    fits = [size for size in sizes if size and math.ceil(num_frames / size) == num_times]
    return int(np.min(fits)) if fits else 0
