"""Timestamp-interleaved training samples: stamped segments, frame times and, if wanted, the decoded frames.

What a clip costs to decode is paid once: the frames lie in ``OUTPUT/samples``, a compressed ``.npz`` for each clip,
named by all that shaped it. The stage `export` with format ``samples`` writes the list of them.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from typing import Any, Literal

import numpy as np

from timeground.prompts import row_answer, row_prompt
from timeground.records import Row
from timeground.spans import Span
from timeground.timecode import Segment, TextSegment, TimeEncoding, encode_time
from timeground.video.clip import Clip

from ..item import Item
from ..tools import Tools
from .base import VideoStage


class Samples(VideoStage):
    """Puts ``samples`` into the facts of a video: one for each window that rows ask about.

    model: whose profile says which frames, which stamps and which prompts. time_encoding: another than the profile's.
    frames: also keep the frames (uint8 ``[T, C, H, W]``) with their times.
    """

    stage: Literal["samples"] = "samples"
    model: str = "tiny"
    time_encoding: TimeEncoding | None = None
    frames: bool = True

    def models(self) -> list[str]:
        """The model whose profile is used."""
        return [self.model]

    def run(self, item: Item, tools: Tools) -> None:
        """Decode each window once and write down all that is asked about it."""
        model, groups = tools.model(self.model), dict[Span | None, list[Row]]()
        for row in item.rows:
            groups.setdefault(row.window, []).append(row)
        encoding, prompts = self.time_encoding or model.profile.time_encoding, model.profile.prompts()
        item.facts["samples"] = []
        for window, rows in groups.items():
            clip, segments = encode_time(
                tools.clip(item.video, model.sampling(), window), encoding, model.profile.stamp
            )
            item.facts["samples"].append(
                {
                    "opening": prompts.opening,
                    "segments": [_plain(segment) for segment in segments],
                    "frame_times_s": [round(t, 6) for t in clip.frame_times_s.tolist()],
                    "window": [clip.start_s, clip.end_s],
                    "duration": clip.duration_s,
                    "frames": self._keep(item.video, clip, tools) if self.frames else None,
                    "questions": [
                        {"id": r.id, "text": row_prompt(prompts, r), "answer": row_answer(prompts, r)} for r in rows
                    ],
                }
            )

    def _keep(self, video: str, clip: Clip, tools: Tools) -> str:
        """Write the frames, unless they are there; returns their path below the output folder."""
        shape = [video, asdict(tools.model(self.model).sampling()), clip.start_s, clip.end_s, str(self.time_encoding)]
        frames = clip.frames.contiguous().numpy()
        name = hashlib.sha256(json.dumps(shape).encode() + frames.tobytes()).hexdigest()[:24]
        path = tools.output / "samples" / name[:2] / f"{name}.npz"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".{name}.{os.getpid()}.npz")
            np.savez_compressed(part, frames=frames, frame_times_s=clip.frame_times_s.numpy())
            part.replace(path)
        return path.relative_to(tools.output).as_posix()


def _plain(segment: Segment) -> dict[str, Any]:
    """A segment as data: ``{"text": ...}`` or ``{"first_frame", "num_frames", ...}``."""
    return {"text": segment.text} if isinstance(segment, TextSegment) else asdict(segment)
