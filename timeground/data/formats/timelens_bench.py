"""TimeLens-Bench: ``{charades,activitynet,qvhighlights}-timelens.json`` (Hub: TencentARC/TimeLens-Bench).

``{"<video>": {"duration", "spans", "queries"}}``, spans and queries aligned one to one. Queries are cleaned as
TimeLens does: one line, no final full stops. Spans stay as published. The three "splits" here are the three sets
(3,363, 4,500 and 1,541 rows).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from timeground.data.formats.files import find_file, read_json, record, seconds, span_of
from timeground.data.rows import Row

SPLITS = ("charades", "activitynet", "qvhighlights")
DOWNLOAD = "huggingface.co/datasets/TencentARC/TimeLens-Bench"


def clean_query(query: str) -> str:
    """Return the query on one line, without full stops at its ends."""
    return " ".join(query.split()).strip(".").strip()


def read(root: Path, split: str = "charades") -> Iterator[Row]:
    """Yield rows of ``<split>-timelens.json``."""
    name = f"{split}-timelens.json"
    path = find_file(root, name, f"TimeLens-Bench/{name}", download=DOWNLOAD)
    split = path.stem.removesuffix("-timelens")
    with record(path, "top level"):
        videos = list(read_json(path).items())
    for video, entry in videos:
        with record(path, video):
            duration_s = seconds(entry["duration"])
            pairs = [(span_of(pair), clean_query(q)) for pair, q in zip(entry["spans"], entry["queries"], strict=True)]
        for index, (span, query) in enumerate(pairs):
            yield Row(
                id=f"{video}-{index}",
                video=f"{split}/{video}.mp4",
                duration=duration_s,
                query=query,
                spans=[span],
                source=f"{split}-timelens",
            )
