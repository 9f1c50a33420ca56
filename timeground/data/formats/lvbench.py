"""LVBench: ``video_info.meta.jsonl``, one video a line with its questions; the options stand in the question.

``{key, type, video_info: {duration_minutes, fps, resolution}, qa: [{uid, question, answer, question_type (a list),
time_reference}]}``; 1,549 questions on 103 videos. **Partly not verified**: the snapshot of the benchmark was not
available, the format comes from a derived script and from memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from timeground.data.formats.files import UNKNOWN_DURATION_S, find_file, read_jsonl, record, seconds
from timeground.data.formats.options import leading_letter, split_question
from timeground.data.rows import Row

SPLITS = ("test",)
DOWNLOAD = "huggingface.co/datasets/zai-org/LVBench"


def read(root: Path, split: str = "test") -> Iterator[Row]:
    """Yield rows of ``video_info.meta.jsonl``; ids are the benchmark's ``uid``."""
    path = find_file(root, "video_info.meta.jsonl", "data/video_info.meta.jsonl", download=DOWNLOAD)
    for number, video in read_jsonl(path):
        with record(path, number):
            minutes = video.get("video_info", {}).get("duration_minutes")
            duration_s = UNKNOWN_DURATION_S if minutes is None else seconds(minutes) * 60
            for item in video["qa"]:
                question, options = split_question(item["question"])
                types = item["question_type"]
                yield Row(
                    id=str(item["uid"]),
                    video=f"{video['key']}.mp4",
                    duration=duration_s,
                    source="lvbench",
                    question=question,
                    options=options,
                    answer=leading_letter(item["answer"], options),
                    meta={"types": [types] if isinstance(types, str) else list(types), "video_type": video.get("type")},
                )
