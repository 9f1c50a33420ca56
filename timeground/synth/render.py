"""Draws the frames of a scene at any times and any size; the same code feeds files and training.

A background is grey, so that its frames are drawn in one plane and copied into three. An actor is blended in its own
window; how much of a pixel it covers is computed once for as long as it keeps still.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from timeground.synth.scene import COLOURS, Actor, Array, Background, Scene

Frames = NDArray[np.uint8]
Grey = NDArray[np.float32]
NOISE_ROWS = 64
"""Rows of noise cells in a frame; finer noise would be lost in scaling and cost most of a file's size."""
CHUNK = 8
"""Frames that are drawn at a time: few enough to stay in a processor's cache until they are encoded."""
REACH = {"circle": 1.0, "ring": 1.0, "square": 1.21, "triangle": 1.25, "cross": 1.06}
"""How far from its centre a shape reaches, in radii, however it is turned."""
BORDERS = {"circle": 1.0, "ring": 0.25, "square": 0.85, "triangle": 0.62, "cross": 1.0}
"""Where the border of a shape lies, in radii, on the scale of `_distance`."""


def render(scene: Scene, times_s: Array, height: int | None = None, width: int | None = None) -> Frames:
    """Return frames uint8 ``[T, 3, H, W]`` of a scene at the given times (seconds), by default at the file's size."""
    height, width = height or scene.height, width or scene.width
    frames = np.empty((len(times_s), 3, height, width), dtype=np.uint8)
    painter = _Painter(scene, times_s, height, width)
    for first in range(0, len(frames), CHUNK):
        painter.draw(frames[first : first + CHUNK], first)
    return frames


def render_in_chunks(scene: Scene, times_s: Array) -> Iterator[Frames]:
    """Yield the same frames at the file's size, a few at a time, for files too long to hold."""
    painter = _Painter(scene, times_s, scene.height, scene.width)
    for first in range(0, len(times_s), CHUNK):
        frames = np.empty((min(CHUNK, len(times_s) - first), 3, scene.height, scene.width), dtype=np.uint8)
        painter.draw(frames, first)
        yield frames


class _Painter:
    """Draws the frames of a scene at some times; what does not change from frame to frame is computed once.

    Where nothing changes at all, the frame before is taken.
    """

    def __init__(self, scene: Scene, times_s: Array, height: int, width: int) -> None:
        self.times_s = times_s + scene.origin_s
        self.grey = (_waves if scene.background.waves else _gradient)(scene.background, height, width)
        self.noise = _Noise(scene, height, width) if scene.background.noise else None
        unit_width = width / (scene.width / scene.height)
        self.figures = [_Figure(actor, times_s, height, width, unit_width) for actor in scene.actors]
        self.is_still = np.full(len(times_s), not scene.background.waves and self.noise is None)
        for figure in self.figures:
            self.is_still &= figure.is_still
        self.last: Frames | None = None

    def draw(self, frames: Frames, first: int) -> None:
        """Draw the frames of as many times as there is room for, from the `first` on."""
        still = self.is_still[first : first + len(frames)]
        if self.last is not None and still.all():
            frames[:] = self.last
            return
        self._draw(frames, first)
        self.last = frames[-1]

    def _draw(self, frames: Frames, first: int) -> None:
        times_s = self.times_s[first : first + len(frames)]
        grey = self.grey(times_s)
        if self.noise is not None:
            grey = self.noise.added(grey, times_s)
        frames[:] = np.clip(grey, 0, 255, out=grey).astype(np.uint8)[:, None]
        for index, frame in enumerate(frames, first):
            for figure in self.figures:
                figure.draw(frame, index)


def _along(back: Background, height: int, width: int) -> Grey:
    """Return how far each pixel lies along the background's direction, ``[H, W]``."""
    y, x = ((np.arange(size, dtype=np.float32) + 0.5) / size for size in (height, width))
    along: Grey = np.cos(back.angle) * x[None] + np.sin(back.angle) * y[:, None]
    return along


def _gradient(back: Background, height: int, width: int) -> Callable[[Array], Grey]:
    """Return what gives a background without waves, the same at all times, ``[1, H, W]``."""
    level = np.clip(0.5 + 0.5 * _along(back, height, width), 0, 1)
    grey = (255 * (back.low + (back.high - back.low) * level)).astype(np.float32)[None]
    return lambda _: grey


def _waves(back: Background, height: int, width: int) -> Callable[[Array], Grey]:
    """Return what gives waves that drift, ``[T, H, W]``: sin(a + p), a in space and p in time, as a sum of products."""
    a = 2 * np.pi * back.waves * _along(back, height, width)
    sine, cosine = np.sin(a, dtype=np.float32), np.cos(a, dtype=np.float32)
    mean, half = 255 * (back.low + back.high) / 2, 255 * (back.high - back.low) / 2

    def grey(times_s: Array) -> Grey:
        p = 2 * np.pi * back.drift_per_s * times_s[:, None, None]
        found: Grey = (half * np.cos(p)).astype(np.float32) * sine
        found += (half * np.sin(p)).astype(np.float32) * cosine
        found += mean
        return found

    return grey


class _Noise:
    """Noise that changes from frame to frame, in cells that are as large in every rendering of a scene.

    It is one tile of cells, rolled by an amount that depends on the time.
    """

    def __init__(self, scene: Scene, height: int, width: int) -> None:
        rng = np.random.default_rng([scene.seed, 5])
        self.across = round(NOISE_ROWS * scene.width / scene.height)
        self.tile = rng.standard_normal((2 * NOISE_ROWS, 2 * self.across), dtype=np.float32)
        self.tile *= np.float32(255 * scene.background.noise)
        self.rows = np.arange(height) * NOISE_ROWS // height
        self.columns = np.arange(width) * self.across // width

    def added(self, grey: Grey, times_s: Array) -> Grey:
        """Return a background with noise, ``[T, H, W]``. grey: ``[T or 1, H, W]``."""
        steps = np.round(times_s * 1000).astype(np.int64)
        down, right = (steps * 7919) % NOISE_ROWS, (steps * 104729) % self.across
        found = np.empty((len(times_s), *grey.shape[1:]), dtype=np.float32)
        for frame, d, r in zip(found, down, right, strict=True):
            cells = self.tile[d : d + NOISE_ROWS].take(self.columns + r, axis=1)
            cells.take(self.rows, axis=0, out=frame, mode="clip")
        found += grey
        return found


class _Figure:
    """An actor in the frames at some times; what it covers is computed anew only where it has moved.

    ``is_still`` says of each time whether it is shown as at the time before.
    """

    def __init__(self, actor: Actor, times_s: Array, height: int, width: int, unit_width: float) -> None:
        *poses, self.shown = actor.at(times_s)
        found = np.stack(poses, axis=1)
        self.poses: list[list[float]] = found.tolist()
        moves = self.shown[1:] & np.any(found[1:] != found[:-1], axis=1)
        self.is_still = np.r_[False, (self.shown[1:] == self.shown[:-1]) & ~moves]
        self.shape, self.size, self.unit_width = actor.shape, (height, width), unit_width
        self.colour = np.array(COLOURS[actor.colour], dtype=np.float32)[:, None, None]
        self.drawn: list[float] = []

    def draw(self, frame: Frames, index: int) -> None:
        """Blend it into the frame ``[3, H, W]`` of the index-th time, if it is shown."""
        if not self.shown[index]:
            return
        if self.poses[index] != self.drawn:
            self.drawn = self.poses[index]
            self.window, cover = _cover(self.shape, self.drawn, self.size, self.unit_width)
            self.rest, self.painted = 1 - cover, self.colour * cover
        under = frame[self.window]
        under[:] = under * self.rest + self.painted


def _cover(
    shape: str, pose: Sequence[float], size: tuple[int, int], unit_width: float
) -> tuple[tuple[slice, ...], Grey]:
    """Return the window of a frame ``[3, H, W]`` in which a shape lies, and how much of each of its pixels it covers.

    pose: x, y, radius and angle. size: height and width of a frame, beyond which no window goes.
    """
    x, y, radius, angle = pose
    pixels_per_unit = min(unit_width, size[0])
    reach = radius * REACH[shape] + 1 / pixels_per_unit
    rows, v = _pixels(y, reach, size[0], size[0])
    columns, u = _pixels(x, reach, unit_width, size[1])
    distance = _distance(shape, u, v, radius, angle)
    distance *= -pixels_per_unit
    distance += 0.5
    return (slice(None), rows, columns), np.clip(distance, 0, 1, out=distance)


def _pixels(centre: float, reach: float, scale: float, end: int) -> tuple[slice, Grey]:
    """Return the pixels of one axis that a shape may touch, and how far from its centre they are, in its units."""
    first = min(max(0, int(np.floor((centre - reach) * scale))), end)
    last = max(min(end, int(np.ceil((centre + reach) * scale))), first)
    return slice(first, last), ((np.arange(first, last) + 0.5) / scale - centre).astype(np.float32)


def _distance(shape: str, u: Grey, v: Grey, radius: float, angle: float) -> Grey:
    """Return the signed distance to a shape's border, negative inside, ``[rows v, columns u]``."""
    level: Grey
    if shape in ("circle", "ring"):
        level = np.sqrt(u[None] ** 2 + v[:, None] ** 2)
        if shape == "ring":
            level = np.abs(level - 0.75 * radius)
    else:
        c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        a, b = (c * u)[None] + (s * v)[:, None], (-s * u)[None] + (c * v)[:, None]
        if shape == "triangle":
            level = np.maximum(np.abs(0.8660254 * a) - 0.5 * b, b)
        else:
            a, b = np.abs(a), np.abs(b)
            level = np.maximum(a, b)
            if shape == "cross":
                level = np.maximum(np.minimum(a, b) + 0.68 * radius, level)
    level -= BORDERS[shape] * radius
    return level
