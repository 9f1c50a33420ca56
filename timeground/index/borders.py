"""Where events begin and end in a video that has no cuts, as EM-LLM finds them in text (arXiv 2407.09450).

A frame surprises where the colours, or the colours that move, are others in the moments after it than in those before.
A border is a peak of surprise above its rolling mean and spread; then it moves to where the two events at its sides are
most alike inside and least across (modularity). Colours are taken whole, wherever in the picture they are: so an object
that crosses it makes a border when it starts and when it stops, and none in between.

Shape legend: T frames, C channels of an observation (the first half amounts of colours, the second their motion).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

BORDER_FPS = 8.0
"""Frames a second that borders are looked for in: as fine as half a second wants."""
SIDE = 64
"""Pixels; larger frames are made smaller."""
HUES = 12
BRIGHT = 0.6
"""From here on all three channels of what is white are, 1 being the most."""
LEAST_CHANGE = 0.08
"""Of a pixel between two frames, below which it is noise."""
CHUNK = 64
REFINED_WITHIN_S = 4.0
"""So much of the events at both sides of a border is looked at to move it."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BorderSettings:
    """How borders are found; fitted on 60 SynthMoments files (`benchmarks.event_borders --fit`)."""

    step_s: float = 0.875
    """How long the moments are before and after a frame that are compared."""
    colour_weight: float = 0.5
    """Of a change in colours, against one of their motion."""
    apart_s: float = 0.9
    """Two borders are at least this far apart."""
    around_s: float = 30.0
    """Over which mean and spread are taken."""
    gamma: float = -0.5
    """How many spreads above its rolling mean a surprise must be."""
    least: float = 0.03
    """How large a surprise must be in any case: stillness has no borders."""
    moved_s: float = 0.5
    """How far a border may move to where modularity is highest; 0: it stays."""


def observe(frames_TCHW: Tensor) -> Tensor:
    """Return what is looked at of frames (uint8), float32 ``[T, C]``: how much of each colour, how much of it moved.

    The first frame has the motion of the second, for the one before it is not there.
    """
    frames = frames_TCHW
    if max(frames.shape[2:]) > SIDE:
        scale = SIDE / max(frames.shape[2:])
        size = [max(1, round(side * scale)) for side in frames.shape[2:]]
        frames = torch.cat([F.interpolate(part.float(), size, mode="area") for part in frames.split(CHUNK)])  # type: ignore[no-untyped-call]
    found, last = [], None
    for first in range(0, len(frames), CHUNK):
        colours = _colours(frames[first : first + CHUNK].float() / 255)
        before = torch.cat([(colours[:1] if last is None else last), colours[:-1]])
        moved = (colours - before).abs()
        moved = torch.where(moved > LEAST_CHANGE, moved, 0.0)
        found.append(torch.cat([colours.mean(dim=(2, 3)), moved.mean(dim=(2, 3))], dim=1))
        last = colours[-1:]
    observed = torch.cat(found)
    if len(observed) > 1:
        half = observed.shape[1] // 2
        observed[0, half:] = observed[1, half:]
    return observed


def _colours(frames_TCHW: Tensor) -> Tensor:
    """Return how much of each hue, and of white, is in each pixel, ``[T, HUES + 1, H, W]``; grey is nothing."""
    red, green, blue = frames_TCHW.unbind(dim=1)
    high, low = frames_TCHW.amax(dim=1), frames_TCHW.amin(dim=1)
    strength = high - low
    safe = strength.clamp(min=1e-6)
    sixths = torch.where(
        high == red,
        ((green - blue) / safe) % 6,
        torch.where(high == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    place = sixths * HUES / 6
    centres = torch.arange(HUES, device=place.device).view(1, -1, 1, 1)
    away = (place[:, None] - centres).abs()
    share = (1 - torch.minimum(away, HUES - away)).clamp(min=0)
    white = ((low - BRIGHT) / (1 - BRIGHT)).clamp(min=0)
    return torch.cat([share * strength[:, None], white[:, None]], dim=1)


def find_borders(
    observed_TC: npt.ArrayLike, times_s: npt.ArrayLike, settings: BorderSettings | None = None
) -> list[float]:
    """Return the times at which one event ends or another begins, in order, none at the video's own ends."""
    settings = settings or BorderSettings()
    observed, times = np.sqrt(np.asarray(observed_TC, dtype=np.float64)), np.asarray(times_s, dtype=np.float64)
    if len(times) < 4:
        return []
    frame_s = float(np.median(np.diff(times)))
    surprised = surprise(observed, max(1, round(settings.step_s / frame_s)), settings.colour_weight)
    found = _peaks(surprised, times, frame_s, settings)
    if settings.moved_s:
        found = refined(observed, found, round(settings.moved_s / frame_s), round(REFINED_WITHIN_S / frame_s))
    return [float(times[place]) for place in found]


def surprise(observed_TC: Floats, step: int, colour_weight: float = 1.0) -> Floats:
    """Return how much the `step` observations from each frame on differ from those before it, ``[T]``.

    Colours change at once, so they are compared over half of that.
    """
    half = observed_TC.shape[1] // 2
    moved = np.abs(_change(observed_TC[:, half:], step)).sum(axis=1)
    seen = np.abs(_change(observed_TC[:, :half], max(2, step // 2))).sum(axis=1)
    found: Floats = moved + colour_weight * seen
    found[:2] = found[-1:] = 0.0  # there is too little before or after them
    return found


def _change(values_TC: Floats, step: int) -> Floats:
    """Return the mean of the `step` rows from each on, less that of the rows before it; at the ends of fewer."""
    sums = np.concatenate([np.zeros((1, values_TC.shape[1])), np.cumsum(values_TC, axis=0)])
    at = np.arange(len(values_TC))
    low, high = np.maximum(at - step, 0), np.minimum(at + step, len(values_TC))
    before = (sums[at] - sums[low]) / np.maximum(at - low, 1)[:, None]
    after = (sums[high] - sums[at]) / np.maximum(high - at, 1)[:, None]
    return np.asarray(after - before)


def _peaks(surprised_T: Floats, times_s: Floats, frame_s: float, settings: BorderSettings) -> list[int]:
    """Return the frames that surprise most, the highest first served, none too near to another."""
    threshold = np.maximum(
        _threshold(surprised_T, round(settings.around_s / frame_s / 2), settings.gamma), settings.least
    )
    free = surprised_T > threshold
    found: list[int] = []
    for place in np.argsort(-surprised_T, kind="stable"):
        if not free[place]:
            continue
        found.append(int(place))
        low, high = np.searchsorted(times_s, times_s[place] + settings.apart_s * np.array([-1.0, 1.0]), side="right")
        free[low:high] = False
    return sorted(found)


def _threshold(values_T: Floats, reach: int, gamma: float) -> Floats:
    """Return the mean and `gamma` spreads of the values up to `reach` places from each."""
    sums, squares = (np.concatenate([[0.0], np.cumsum(v)]) for v in (values_T, values_T**2))
    at = np.arange(len(values_T))
    low, high = np.maximum(at - reach, 0), np.minimum(at + reach + 1, len(values_T))
    mean = (sums[high] - sums[low]) / (high - low)
    spread = np.sqrt(np.maximum((squares[high] - squares[low]) / (high - low) - mean**2, 0.0))
    return np.asarray(mean + gamma * spread)


def refined(observed_TC: Floats, places: Sequence[int], moved: int, within: int) -> list[int]:
    """Return borders moved, by at most `moved` places and half an event, to where modularity is highest.

    Two frames are as similar as their observations' cosine. within: places of the events at both sides that count.
    """
    norms = np.linalg.norm(observed_TC, axis=1, keepdims=True)
    units = observed_TC / np.maximum(norms, 1e-9)
    edges = [0, *places, len(observed_TC)]
    found = []
    for number, place in enumerate(places, 1):
        start, end = max(edges[number - 1], place - within), min(edges[number + 1], place + within)
        low = max(place - moved, place - (place - edges[number - 1]) // 2, start + 1)
        high = min(place + moved, place + (edges[number + 1] - place) // 2, end - 1)
        if high <= low:
            found.append(place)
            continue
        scores = modularity(units[start:end] @ units[start:end].T)[low - start : high - start + 1]
        best = np.flatnonzero(scores >= scores.max() - 1e-12)
        found.append(int(low + best[np.abs(best + low - place).argmin()]))
    return [second for first, second in pairwise([-1, *found]) if second > first]


def modularity(similarity_NN: Floats) -> Floats:
    """Return the modularity of cutting a row of frames in two before each of them, ``[N]`` (Newman 2004)."""
    similarity = np.maximum(similarity_NN, 0.0)
    degrees = similarity.sum(axis=1)
    total = max(float(degrees.sum()), 1e-12)
    inner = np.zeros((len(similarity) + 1, len(similarity) + 1))
    inner[1:, 1:] = similarity.cumsum(axis=0).cumsum(axis=1)
    cut = np.arange(len(similarity))
    left = inner[cut, cut]
    right = inner[-1, -1] - inner[cut, -1] - inner[-1, cut] + left
    below = np.concatenate([[0.0], np.cumsum(degrees)])[cut]
    return np.asarray((left + right) / total - (below**2 + (total - below) ** 2) / total**2)
