"""TVGBench (Time-R1): a JSON list of 800 items, the span as a text, ``"answer": "13.4-28.1"``.

Spans stay as published: 11 have no length (Ego4D) and 27 end past the video. ``start`` and ``end`` are kept in
``meta`` and not used, as in the benchmark's own loader: they cannot be a window of the file named, since items of one
file and one length disagree on them. ``path`` loses its folder; videos are looked for by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from timeground.data.formats.files import find_file, read_json, record, seconds, span_of
from timeground.data.rows import Row

SPLITS = ("test",)
DOWNLOAD = "github.com/xiaomi-research/time-r1 (dataset/timer1/annotations/tvgbench.json)"


def read(root: Path, split: str = "test") -> Iterator[Row]:
    """Yield rows of ``tvgbench.json``."""
    path = find_file(root, "tvgbench.json", "annotations/tvgbench.json", download=DOWNLOAD)
    for number, entry in enumerate(read_json(path)):
        with record(path, f"item {number}"):
            start, end = entry["answer"].split("-")
            yield Row(
                id=f"tvgbench-{number}",
                video=entry["path"].rsplit("/", 1)[-1],
                duration=seconds(entry["duration"]),
                query=entry["question"].strip(),
                spans=[span_of((start, end))],
                source=f"tvgbench/{entry.get('dataset_name') or 'ego4d-nlq'}",
                meta={"type": entry["qsemtype"], "start": entry["start"], "end": entry["end"]},
            )
