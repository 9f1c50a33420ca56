"""NExT-QA, multiple choice: a CSV with five options and the number of the right one.

``video,frame_count,width,height,question,answer,qid,type,a0..a4``; 4,996 questions in val, 8,564 in test. Row ids are
``<video>_<qid>``, the keys of the benchmark's prediction files. ``meta`` keeps the type and its
first letter (causal, temporal or descriptive). Videos have no published length. Format:
doc-doc/NExT-QA (dataset/nextqa).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from timeground.data.formats.files import UNKNOWN_DURATION_S, find_file, read_csv, record
from timeground.data.formats.options import letter_at
from timeground.data.rows import Row

SPLITS = ("test", "val", "train")
DOWNLOAD = "github.com/doc-doc/NExT-QA (dataset/nextqa)"


def read(root: Path, split: str = "test") -> Iterator[Row]:
    """Yield rows of ``<split>.csv``."""
    path = find_file(root, f"{split}.csv", f"dataset/nextqa/{split}.csv", download=DOWNLOAD)
    for number, cells in read_csv(path):
        with record(path, number):
            options = [cells[f"a{i}"] for i in range(5)]
            yield Row(
                id=f"{cells['video']}_{cells['qid']}",
                video=f"{cells['video']}.mp4",
                duration=UNKNOWN_DURATION_S,
                source="nextqa",
                question=cells["question"],
                options=options,
                answer=letter_at(int(cells["answer"]), options),
                meta={"type": cells["type"], "kind": cells["type"][0]},
            )
