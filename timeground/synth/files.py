"""Writes SynthMoments to disk: ``OUT/videos/*.mp4`` (h264) and ``OUT/annotations.jsonl``."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from timeground.data.rows import Row, write_rows
from timeground.errors import UserError, VideoError
from timeground.files.whole_files import writing
from timeground.media.containers.container import made_by
from timeground.media.containers.tag import synth_tag
from timeground.synth.frames import SPLITS, scene_seed
from timeground.synth.long_scenes import LONG_S, LONGEST_S, long_rows, sample_long_scene
from timeground.synth.render import Frames, render_in_chunks
from timeground.synth.rows import make_rows
from timeground.synth.scene import Scene
from timeground.synth.world import sample_scene

if TYPE_CHECKING:
    import av

TIME_BASE = Fraction(1, 90000)
"""Fine enough for every frame rate here and for irregular times."""
SHORTEST_S = 2.0


def write_video(scene: Scene, path: Path) -> None:
    """Render a scene into an h264 mp4 whose frames carry their exact times; the file appears whole or not at all."""
    import av
    from av.video.frame import PictureType

    ticks = [round(t / TIME_BASE) for t in scene.frame_times_s().tolist()]
    end = max(round(scene.duration_s / TIME_BASE), ticks[-1] + 1)
    lengths = dict(zip(ticks, np.diff([*ticks, end]).tolist(), strict=True))
    with writing(path) as part, av.open(str(part), "w", format="mp4") as container:
        container.metadata["comment"] = synth_tag()
        stream = container.add_stream("libx264", rate=Fraction(scene.fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = scene.width, scene.height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = TIME_BASE
        # x264's macroblock tree gives other bytes from run to run where a frame is an odd number of blocks wide.
        parameters = "bframes=2:mbtree=0"  # frames that are not in their order of showing, as in most people's files
        stream.options = {"crf": "24", "preset": "ultrafast", "threads": "1", "x264-params": parameters}

        def write(frame: av.VideoFrame | None) -> None:
            for packet in stream.encode(frame):
                packet.duration = lengths[packet.pts]  # left out by the encoder, and with it the last frame's end
                container.mux(packet)

        for tick, pixels in zip(ticks, _all_frames(scene), strict=True):
            frame = _frame(pixels)
            frame.pts, frame.time_base = tick, TIME_BASE
            if (
                tick in ticks[-2:]
            ):  # an mp4 ends with the frame that is stored last, so that has to be the one shown last
                frame.pict_type = PictureType.P
            write(frame)
        write(None)


def _frame(pixels: Frames) -> av.VideoFrame:
    """Return a frame ``[3, H, W]`` as PyAV's, whose planes lie in another order and may have room at the right."""
    import av

    _, height, width = pixels.shape
    frame = av.VideoFrame(width, height, "gbrp")
    planes: Any = frame.planes
    for plane, channel in zip(planes, (1, 2, 0), strict=True):
        np.frombuffer(plane, np.uint8).reshape(height, -1)[:, :width] = pixels[channel]
    return frame


def _all_frames(scene: Scene) -> Iterator[Frames]:
    for frames in render_in_chunks(scene, scene.frame_times_s()):
        yield from frames


def dataset_videos(
    out: Path, num_videos: int, seed: int, split: str = "train", duration_s: float | None = None
) -> Iterator[Path]:
    """Write the videos of a split one by one; those that this version wrote before are kept.

    duration_s: of each; None: 8 to 60 s. Raise UserError for a number, split or duration that there is not.
    """
    for scene, video in _scenes(num_videos, seed, split, duration_s):
        if not _is_current(out / video):
            write_video(scene, out / video)
        yield out / video


def _is_current(path: Path) -> bool:
    """Return whether a file is a whole video of this version."""
    try:
        return made_by(path) == synth_tag()
    except VideoError:
        return False


def write_annotations(
    out: Path, num_videos: int, seed: int, split: str = "train", duration_s: float | None = None
) -> list[Row]:
    """Write ``annotations.jsonl`` for those videos and return its rows."""
    rows_of = long_rows if duration_s is not None and duration_s >= LONG_S else make_rows
    rows = [row for scene, video in _scenes(num_videos, seed, split, duration_s) for row in rows_of(scene, video)]
    write_rows(out / "annotations.jsonl", rows)
    return rows


def _scenes(num_videos: int, seed: int, split: str, duration_s: float | None) -> Iterator[tuple[Scene, str]]:
    if num_videos < 1:
        raise UserError(f"{num_videos} videos asked for; ask for at least one")
    if split not in SPLITS:
        raise UserError(f"unknown split {split!r}; there are: {', '.join(SPLITS)}")
    if duration_s is not None and not SHORTEST_S <= duration_s <= LONGEST_S:
        raise UserError(f"a duration of {duration_s:g} s; ask for {SHORTEST_S:g} to {LONGEST_S:g} seconds")
    stem = f"{split}-{seed}" if duration_s is None else f"{split}-{seed}-{duration_s:g}s"
    for index in range(num_videos):
        yield _scene(scene_seed(split, seed, index), split, duration_s), f"videos/{stem}-{index:05d}.mp4"


def _scene(seed: int, split: str, duration_s: float | None) -> Scene:
    unseen = split == "held_out"
    if duration_s is None:
        return sample_scene(seed, unseen=unseen)
    if duration_s < LONG_S:
        return sample_scene(seed, unseen=unseen, durations_s=(duration_s, duration_s))
    return sample_long_scene(seed, duration_s, unseen=unseen)
