"""NExT-GQA: questions with five options in a CSV, and the spans that show the answer in a JSON file.

The CSV's column ``answer`` is the option's text. Row ids are ``<video>_<qid>``, the keys of its prediction files.
``meta`` keeps the type of the question (CW, CH, TN, TC, TP). Format: doc-doc/NExT-GQA (datasets/nextgqa).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from timeground.records import Row

from .files import find_file, read_csv, read_json, record, seconds, span_of
from .options import letter_of_text

SPLITS = ("test", "val")
DOWNLOAD = "github.com/doc-doc/NExT-GQA (datasets/nextgqa)"


def read(root: Path, split: str = "test") -> Iterator[Row]:
    """Rows of ``<split>.csv`` that ``gsub_<split>.json`` grounds."""
    spans_path = find_file(root, f"gsub_{split}.json", f"datasets/nextgqa/gsub_{split}.json", download=DOWNLOAD)
    split = spans_path.stem.removeprefix("gsub_")
    path = find_file(spans_path.parent, f"{split}.csv", download=DOWNLOAD)
    videos = read_json(spans_path)
    for number, cells in read_csv(path):
        with record(path, number):
            video, qid = cells["video_id"], cells["qid"]
            if qid not in videos.get(video, {}).get("location", {}):
                continue  # the CSV of another release also lists questions without spans
            entry = videos[video]
            options = [cells[f"a{i}"] for i in range(5)]
            yield Row(
                id=f"{video}_{qid}",
                video=f"{video}.mp4",
                duration=seconds(entry["duration"]),
                spans=[span_of(pair) for pair in entry["location"][qid]],
                source="next-gqa",
                question=cells["question"],
                options=options,
                answer=letter_of_text(cells["answer"], options),
                meta={"type": cells["type"]},
            )
