"""QVHighlights: JSONL with several windows a query and, for each 2-second clip in them, three saliency scores.

``meta`` keeps ``relevant_clip_ids`` and ``saliency_scores`` (0 to 4, one triple a clip) for highlight detection.
The first test release has no ground truth, which ``meta["unlabelled"]`` says; ``highlight_test_with_gt.jsonl``, out
since 2026, has it and is preferred where both are there. Format: jayleicn/moment_detr (data CC BY-NC-SA).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from timeground.data.formats.files import find_file, read_jsonl, record, seconds, span_of
from timeground.data.rows import Row

SPLITS = ("val", "test", "train")
DOWNLOAD = "github.com/jayleicn/moment_detr (data)"


def read(root: Path, split: str = "val") -> Iterator[Row]:
    """Yield rows of ``highlight_<split>_release.jsonl``."""
    names = [f"highlight_{split}_with_gt.jsonl", f"highlight_{split}_release.jsonl"]
    path = find_file(root, *names, *(f"data/{name}" for name in names), download=DOWNLOAD)
    for number, entry in read_jsonl(path):
        with record(path, number):
            labels = {key: entry[key] for key in ("relevant_clip_ids", "saliency_scores") if key in entry}
            labelled = "relevant_windows" in entry
            yield Row(
                id=str(entry["qid"]),
                video=f"{entry['vid']}.mp4",
                duration=seconds(entry["duration"]),
                query=entry["query"].strip(),
                spans=[span_of(pair) for pair in entry.get("relevant_windows", [])],
                source="qvhighlights",
                meta=labels if labelled else {**labels, "unlabelled": True},
            )
