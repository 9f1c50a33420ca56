"""Finds cuts with PySceneDetect, and joins shots to segments of a length that a model can look at closely."""

from __future__ import annotations

import logging
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from timeground.errors import UserError, VideoError
from timeground.media.decode import probe

from ..item import Item
from ..stage import VideoStage
from ..tools import Tools


def _in_order(value: tuple[float, float]) -> tuple[float, float]:
    """Refuse a shortest length above the longest."""
    if not 0 < value[0] <= value[1]:
        raise ValueError(f"{list(value)}: give [shortest, longest], above 0 s")
    return value


SegmentLengths = Annotated[tuple[float, float], AfterValidator(_in_order)]
"""The shortest and the longest of segments."""


class Shots(VideoStage):
    """Writes the facts `shots` and `segments`, both ``[[start_s, end_s], ...]`` over the whole video."""

    gives = ("facts.shots", "facts.segments")
    stage: Literal["shots"] = "shots"
    threshold: float = Field(27.0, gt=0)
    """Of ContentDetector; a lower one finds more cuts."""
    min_shot_s: float = Field(0.6, gt=0)
    """Shorter shots are joined to their neighbour."""
    segment_s: SegmentLengths = (20.0, 60.0)
    """Segments are shots joined (or cut) to between these lengths (TimeLens2: 20 to 60 s)."""

    def run(self, item: Item, tools: Tools) -> None:
        """Look for cuts, and join shots to segments."""
        path = tools.path(item.video)
        duration_s = item.facts.get("duration_s") or probe(path, tools.folder_fps).duration_s
        cuts = [cut for cut in find_cuts(str(path), self.threshold, self.min_shot_s) if 0 < cut < duration_s]
        edges = [0.0, *cuts, duration_s]
        item.facts["shots"] = [[round(a, 3), round(b, 3)] for a, b in pairwise(edges)]
        item.facts["segments"] = segments(edges, *self.segment_s)


def find_cuts(path: str, threshold: float, min_shot_s: float) -> list[float]:
    """Return the times in seconds at which a new shot begins.

    Raise VideoError if PySceneDetect cannot read the file.
    """
    try:
        from scenedetect import ContentDetector, SceneManager, open_video
    except ImportError:
        raise UserError('stage shots needs PySceneDetect: pip install "timeground[data]"') from None
    logging.getLogger("pyscenedetect").setLevel(logging.ERROR)
    try:
        video = open_video(path, backend="pyav")
        manager = SceneManager()
        manager.add_detector(ContentDetector(threshold, max(1, round(min_shot_s * float(video.frame_rate)))))
        manager.detect_scenes(video, show_progress=False)
    except Exception as error:  # PySceneDetect raises what its readers raise
        raise VideoError(f"{path}: PySceneDetect cannot read it ({type(error).__name__}: {error})") from error
    return [float(start.seconds) for start, _ in manager.get_scene_list()[1:]]


def segments(edges: list[float], shortest_s: float, longest_s: float) -> list[list[float]]:
    """Return shots joined until they are long enough; what is too long is cut into equal parts."""
    joined: list[list[float]] = []
    for start_s, end_s in pairwise(edges):
        if joined and joined[-1][1] - joined[-1][0] < shortest_s and end_s - joined[-1][0] <= longest_s:
            joined[-1][1] = end_s
        else:
            joined.append([start_s, end_s])
    parts = []
    for start_s, end_s in joined:
        count = max(1, -int(-(end_s - start_s) // longest_s))
        step_s = (end_s - start_s) / count
        parts += [[round(start_s + i * step_s, 3), round(start_s + (i + 1) * step_s, 3)] for i in range(count)]
    return parts
