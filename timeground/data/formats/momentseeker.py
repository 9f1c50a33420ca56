"""MomentSeeker (2502.12558): moments in videos of minutes, with one or several spans each; its text queries.

``t2v.json`` is a JSON list of ``{qry_text, src_video_path: "./videos/ego_79.mp4", task, answering_time_interval:
[[start, end], ...]}``; lengths of videos are not published. Queries with a picture (``ti2v.json``) or a video
(``tv2v.json``) are not read: a row asks in words. Keys as in TimeLens2's evaluation (MCG-NJU/TimeLens2 a5ce450,
``evaluation/vlmeval/dataset/moment_seeker.py``). **Not checked** against the published file. A file has no ids: a
row's is its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from timeground.data.formats.files import UNKNOWN_DURATION_S, find_file, good_rows, read_json, times_of
from timeground.data.rows import Row

SPLITS = ("t2v",)
DOWNLOAD = "huggingface.co/datasets/avery00/MomentSeeker"


def read(root: Path, split: str = "t2v") -> Iterator[Row]:
    """Yield rows of ``t2v.json``, spans in the order of the file."""
    path = find_file(root, f"{split}.json", download=DOWNLOAD)
    yield from good_rows(path, ((f"item {number}", item) for number, item in enumerate(read_json(path))), _row)


def _row(where: object, item: dict[str, Any]) -> Row:
    if item.get("qry_img_path") or item.get("qry_video_path"):
        raise ValueError("the query is a picture or a video; a row asks in words")
    spans = [times_of(pair) for pair in item["answering_time_interval"]]
    if not spans:
        raise ValueError("no answering_time_interval")
    return Row(
        id=f"momentseeker-{str(where).removeprefix('item ')}",
        video=PurePosixPath(item["src_video_path"]).name,
        duration=UNKNOWN_DURATION_S,
        query=item["qry_text"].strip(),
        spans=spans,
        source="momentseeker",
        meta={"task": item.get("task", "")},
    )
