"""Makes training samples: stamped segments, frame times and, if wanted, the decoded frames.

A clip is decoded once: its frames lie in ``OUTPUT/samples``, a shard for each video, named by all that shaped it (see
`timeground.data.clip_shards`). The stage `export` with format ``samples`` writes their index.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, Literal

from timeground.chat.layout import Segment, TextSegment, TimeEncoding
from timeground.chat.prompts import row_answer, row_prompt
from timeground.data.clip_shards import write_shard
from timeground.data.rows import Row
from timeground.media.clip import Clip
from timeground.media.sampling import Sampling

from ..item import Item
from ..stage import VideoStage, by_window
from ..tools import Tools

FOLDER = "samples"


class Samples(VideoStage):
    """Writes the fact ``samples`` of a video: one sample for each window that rows ask about."""

    needs = ("rows",)
    gives = ("facts.samples",)
    stage: Literal["samples"] = "samples"
    model: str = "tiny"
    """Its profile says which frames, which stamps and which prompts."""
    time_encoding: TimeEncoding | None = None
    """Another than the profile's."""
    frames: bool = True
    """Also keep the frames (uint8 ``[T, C, H, W]``) with their times, for `data.samples` of `timeground train`."""

    def models(self) -> list[str]:
        """Return the model whose profile is used."""
        return [self.model]

    def run(self, item: Item, tools: Tools) -> None:
        """Decode each window once and write down all that is asked about it."""
        groups = by_window(item.rows)
        sampling = tools.model(self.model).sampling()
        clips = [tools.clip(item.video, sampling, window) for window in groups]
        samples = [self._sample(clip, rows, tools) for clip, rows in zip(clips, groups.values(), strict=True)]
        shard = _keep(item.video, clips, sampling, tools) if self.frames and clips else None
        item.facts["samples"] = [
            {"shard": shard, "clip": number, "sampling": asdict(sampling), **sample}
            for number, sample in enumerate(samples)
        ]

    def _sample(self, clip: Clip, rows: Sequence[Row], tools: Tools) -> dict[str, Any]:
        """Return a clip as a model is shown it, with all questions about it."""
        profile = tools.model(self.model).profile
        profile = replace(profile, time_encoding=self.time_encoding or profile.time_encoding)
        prompts, zero_s = profile.prompts(), profile.origin_s(clip.start_s)
        shown, segments = profile.encode(clip)
        return {
            "window": [clip.start_s, clip.end_s],
            "duration": clip.duration_s,
            "time_encoding": profile.time_encoding.value,
            "segments": [_plain(segment) for segment in segments],
            "frame_times_s": [round(t, 6) for t in shown.frame_times_s.tolist()],
            "questions": [
                {"id": r.id, "text": row_prompt(prompts, r), "answer": row_answer(prompts, r.told_from(zero_s))}
                for r in rows
            ],
        }


def _keep(video: str, clips: Sequence[Clip], sampling: Sampling, tools: Tools) -> str:
    """Write the frames of a video, unless they are there, and return the shard's path in the folder of samples."""
    windows = [(clip.start_s, clip.end_s) for clip in clips]
    digest = hashlib.sha256(json.dumps([video, asdict(sampling), windows]).encode())
    for clip in clips:
        digest.update(clip.frames.contiguous().numpy().tobytes())
    name = digest.hexdigest()[:24]
    shard = f"{name[:2]}/{name}.safetensors"
    if not (tools.output / FOLDER / shard).is_file():
        write_shard(tools.output / FOLDER / shard, [clip.paired() for clip in clips])
    return shard


def _plain(segment: Segment) -> dict[str, Any]:
    """Return a segment as data: ``{"text": ...}`` or ``{"first_frame", "num_frames", ...}``."""
    return {"text": segment.text} if isinstance(segment, TextSegment) else asdict(segment)
