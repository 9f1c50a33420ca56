"""VUE-TR and VUE-TR-V2 (bytedance/vidi): a JSON list, each query with one or several spans.

``{query_id, video_id, duration, query, gt, task, duration_category, query_format, query_modality}``. Spans keep the
order of the file, because the benchmark's evaluator depends on it. The categories go to ``meta``. 1,598 queries in
V1, 1,600 in V2. ``video_id`` is a YouTube id; the name of the video file is ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from timeground.data.formats.files import find_file, read_json, record, seconds, span_of
from timeground.data.rows import Row

SPLITS = ("v1", "v2")
DOWNLOAD = "github.com/bytedance/vidi (VUE_TR, VUE_TR_V2)"
_FILES = {"v1": "VUE-TR_ground_truth.json", "v2": "VUE-TRv2_ground_truth.json"}
CATEGORIES = ("duration_category", "query_format", "query_modality")


def read(root: Path, split: str = "v1") -> Iterator[Row]:
    """Yield rows of ``VUE-TR_ground_truth.json`` (v1) or ``VUE-TRv2_ground_truth.json`` (v2)."""
    folder = {"v1": "VUE_TR", "v2": "VUE_TR_V2"}[split]
    path = find_file(root, _FILES[split], f"{folder}/{_FILES[split]}", download=DOWNLOAD)
    for number, entry in enumerate(read_json(path)):
        with record(path, f"item {number}"):
            yield Row(
                id=str(entry["query_id"]),
                video=f"{entry['video_id']}.mp4",
                duration=seconds(entry["duration"]),
                query=entry["query"].strip(),
                spans=[span_of(pair) for pair in entry["gt"] if pair],
                source=f"vue-tr-{split}",
                meta={key: entry[key] for key in (*CATEGORIES, "task") if key in entry},
            )
