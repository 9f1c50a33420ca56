"""The renderer of scenes as it was first written, frame by frame of whole arrays: what the fast one must draw."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from timeground.synth.scene import COLOURS, Actor, Array, Background, Scene

Frames = NDArray[np.uint8]
NOISE_ROWS = 64
"""Rows of noise cells in a frame; finer noise would be lost in scaling and cost most of a file's size."""


def render(scene: Scene, times_s: Array, height: int | None = None, width: int | None = None) -> Frames:
    """Frames uint8 ``[T, H, W, 3]`` of a scene at the given times (seconds), by default at the file's size."""
    height, width = height or scene.height, width or scene.width
    canvas = _draw_background(scene, times_s + scene.origin_s, height, width)
    for actor in scene.actors:
        _draw_actor(canvas, actor, times_s, height, width / (scene.width / scene.height))
    return canvas


def _draw_background(scene: Scene, times_s: Array, height: int, width: int) -> Frames:
    back: Background = scene.background
    y = ((np.arange(height, dtype=np.float32) + 0.5) / height)[:, None]
    x = ((np.arange(width, dtype=np.float32) + 0.5) / width)[None, :]
    along = np.cos(back.angle) * x + np.sin(back.angle) * y
    if back.waves:
        phase = (times_s * back.drift_per_s).astype(np.float32)[:, None, None]
        level = 0.5 + 0.5 * np.sin(2 * np.pi * (back.waves * along[None] + phase))
    else:
        level = np.clip(0.5 + 0.5 * along, 0, 1)[None]
    grey = (back.low + (back.high - back.low) * level) * 255
    grey = np.broadcast_to(grey, (len(times_s), height, width)).astype(np.float32)
    if back.noise:
        grey = grey + back.noise * 255 * _noise(scene, times_s, height, width)
    grey8 = np.clip(grey, 0, 255).astype(np.uint8)
    return np.repeat(grey8[..., None], 3, axis=-1)


def _noise(scene: Scene, times_s: Array, height: int, width: int) -> NDArray[np.float32]:
    """Return noise that changes from frame to frame, in cells that are as large in every rendering of a scene.

    It is one tile of cells, rolled by an amount that depends on the time.
    """
    rng = np.random.default_rng([scene.seed, 5])
    across = round(NOISE_ROWS * scene.width / scene.height)
    tile = rng.standard_normal((2 * NOISE_ROWS, 2 * across), dtype=np.float32)
    rows = np.arange(height) * NOISE_ROWS // height
    columns = np.arange(width) * across // width
    steps = np.round(times_s * 1000).astype(np.int64)
    down, right = (steps * 7919) % NOISE_ROWS, (steps * 104729) % across
    return np.stack([tile[np.ix_(rows + d, columns + r)] for d, r in zip(down, right, strict=True)])


def _draw_actor(canvas: Frames, actor: Actor, times_s: Array, height: int, unit_width: float) -> None:
    """Blend one actor into the frames in which it is shown.

    Each frame gets a square window around the actor, the same size in all frames, so that the shape's
    coverage is computed for all frames at once.
    """
    x, y, radius, angle, shown = actor.at(times_s)
    frames = np.flatnonzero(shown)
    if not len(frames):
        return
    scale_y, scale_x = float(height), float(unit_width)
    cx, cy = x[frames] * scale_x, y[frames] * scale_y
    reach = float(radius[frames].max()) * 1.25
    half_w, half_h = int(np.ceil(reach * scale_x)) + 1, int(np.ceil(reach * scale_y)) + 1
    left, top = np.floor(cx).astype(int) - half_w, np.floor(cy).astype(int) - half_h
    u = (left[:, None] + np.arange(2 * half_w + 1) + 0.5 - cx[:, None]) / scale_x
    v = (top[:, None] + np.arange(2 * half_h + 1) + 0.5 - cy[:, None]) / scale_y
    distance = _distance(actor.shape, u[:, None, :], v[:, :, None], radius[frames], angle[frames])
    cover = np.clip(0.5 - distance * min(scale_x, scale_y), 0, 1).astype(np.float32)[..., None]
    colour = np.array(COLOURS[actor.colour], dtype=np.float32)
    frame_h, frame_w = canvas.shape[1:3]
    for i, frame in enumerate(frames):
        y0, y1 = max(0, top[i]), min(frame_h, top[i] + 2 * half_h + 1)
        x0, x1 = max(0, left[i]), min(frame_w, left[i] + 2 * half_w + 1)
        if y0 >= y1 or x0 >= x1:
            continue
        part = cover[i, y0 - top[i] : y1 - top[i], x0 - left[i] : x1 - left[i]]
        under = canvas[frame, y0:y1, x0:x1]
        canvas[frame, y0:y1, x0:x1] = (under + part * (colour - under)).astype(np.uint8)


def _distance(shape: str, u: Array, v: Array, radius: Array, angle: Array) -> NDArray[np.float32]:
    """Return the signed distance to a shape's border, negative inside, broadcast to ``[T, rows, columns]``."""
    r = radius.astype(np.float32)[:, None, None]
    u, v = u.astype(np.float32), v.astype(np.float32)
    c, s = (f(angle).astype(np.float32)[:, None, None] for f in (np.cos, np.sin))
    a, b = c * u + s * v, c * v - s * u
    distance: NDArray[np.float32]
    if shape == "circle":
        distance = np.hypot(u, v) - r
    elif shape == "ring":
        distance = np.abs(np.hypot(u, v) - 0.75 * r) - 0.25 * r
    elif shape == "square":
        distance = np.maximum(np.abs(a), np.abs(b)) - 0.85 * r
    elif shape == "triangle":
        sides = (b, -0.5 * b + 0.8660254 * a, -0.5 * b - 0.8660254 * a)
        distance = np.maximum(np.maximum(sides[0], sides[1]), sides[2]) - 0.62 * r
    else:
        thick, wide = np.minimum(np.abs(a), np.abs(b)), np.maximum(np.abs(a), np.abs(b))
        distance = np.maximum(thick - 0.32 * r, wide - r)
    return distance
