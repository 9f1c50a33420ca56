"""Writes SynthMoments to disk: ``OUT/videos/*.mp4`` (h264) and ``OUT/annotations.jsonl``."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from timeground.errors import UserError
from timeground.records import Row, write_rows

from .frames import SPLITS, scene_seed
from .render import render_in_chunks
from .rows import make_rows
from .scene import Scene
from .world import sample_scene

TIME_BASE = Fraction(1, 90000)
"""Fine enough for every frame rate here and for irregular times."""


def write_video(scene: Scene, path: Path) -> None:
    """Render a scene into an h264 mp4 whose frames carry their exact times; the file appears whole or not at all."""
    import av

    times_s = scene.frame_times_s()
    ticks = [round(t / TIME_BASE) for t in times_s.tolist()]
    end = round(scene.duration_s / TIME_BASE)
    lengths = [b - a for a, b in zip(ticks, [*ticks[1:], max(end, ticks[-1] + 1)], strict=True)]
    part = path.with_name(f".{path.name}.part")
    with av.open(str(part), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(scene.fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = scene.width, scene.height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = TIME_BASE
        stream.options = {"crf": "20", "preset": "veryfast", "threads": "1"}
        number = 0
        for frames in render_in_chunks(scene, times_s):
            for pixels in frames:
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts, frame.time_base, frame.duration = ticks[number], TIME_BASE, lengths[number]
                container.mux(stream.encode(frame))
                number += 1
        container.mux(stream.encode(None))
    os.replace(part, path)


def write_dataset(
    out: Path, num_videos: int, seed: int, split: str = "train", progress: Callable[[int], None] = lambda _: None
) -> list[Row]:
    """Write a split: videos that are there already are kept, so a killed call goes on where it was.

    progress: called with the number of videos done. Returns the rows, which are also in ``annotations.jsonl``.
    """
    if num_videos < 1:
        raise UserError(f"--videos is {num_videos}; ask for at least one")
    if split not in SPLITS:
        raise UserError(f"unknown split {split!r}; there are: {', '.join(SPLITS)}")
    (out / "videos").mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for index in range(num_videos):
        scene = sample_scene(scene_seed(split, seed, index), unseen=split == "held_out")
        video = f"videos/{split}-{seed}-{index:05d}.mp4"
        if not (out / video).exists():
            write_video(scene, out / video)
        rows += make_rows(scene, video)
        progress(index + 1)
    write_rows(out / "annotations.jsonl", rows)
    return rows
