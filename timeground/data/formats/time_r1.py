"""Time-R1's training file ``train_2k5.json``, and ArrowGEV's, which adds ``sensitive`` and a reversed video.

A list of ``{video, duration, timestamp, sentence, qid, video_start, video_end, difficulty, pred}``; times are those
of the file named. ``difficulty`` is the IoU of the base model times 100 (higher is easier). Both trainers read files
cut beforehand, so ``video_start`` and ``video_end`` are only kept in ``meta``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timeground.data.formats.files import find_file, read_json, record, report_left_out, seconds, span_of
from timeground.data.row_checks import Direction
from timeground.data.rows import Row

SPLITS = ("train",)
DOWNLOAD = "github.com/xiaomi-research/time-r1 (dataset/timer1/annotations)"
_DIRECTIONS: dict[str, Direction] = {"yes": "sensitive", "no": "insensitive"}
_KEPT = ("qid", "video_start", "video_end", "video_reverse_path")


def read(root: Path, split: str = "train") -> Iterator[Row]:
    """Yield rows of ``train_2k5.json``."""
    path = find_file(root, "train_2k5.json", "annotations/train_2k5.json", download=DOWNLOAD)
    left_out = 0
    for number, entry in enumerate(read_json(path)):
        with record(path, f"item {number}"):
            start_s, end_s = (seconds(value) for value in entry["timestamp"])
            if not start_s < end_s:
                left_out += 1
                continue
            yield Row(
                id=f"time-r1-{number}",
                video=str(entry["video"]).removeprefix("./"),
                duration=seconds(entry["duration"]),
                query=entry["sentence"].strip(),
                spans=[span_of((start_s, end_s))],
                direction=_DIRECTIONS.get(str(entry.get("sensitive")).lower(), "unknown"),
                source="time-r1",
                meta={key: entry[key] for key in _KEPT if entry.get(key) is not None},
                difficulty=_difficulty(entry),
            )
    report_left_out(path, left_out, "the start is not before the end")


def _difficulty(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the base model's IoU in [0, 1], if the file has it."""
    stored = entry.get("difficulty")
    return {} if stored is None else {"mean_iou": float(stored) / 100}
