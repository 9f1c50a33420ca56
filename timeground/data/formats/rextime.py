"""ReXTime: JSONL with a question, exactly one relevant window and the right letter.

The file on GitHub (``rextime_val.jsonl``, 921 rows) holds neither options nor the wording that the test set hides;
it is enough to score predictions. To ask a model, the copy on the Hub with ``options`` is needed; that copy's key
names are **not verified** here. Two rows have windows without length, and four end past the video; all stay as
published.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from timeground.data.formats.files import find_file, read_jsonl, record, seconds, span_of
from timeground.data.formats.options import bare_options
from timeground.data.rows import Row

SPLITS = ("val", "test")
DOWNLOAD = "github.com/ReXTime/ReXTime (data)"


def read(root: Path, split: str = "val") -> Iterator[Row]:
    """Yield rows of ``rextime_<split>.jsonl``."""
    path = find_file(root, f"rextime_{split}.jsonl", f"data/rextime_{split}.jsonl", download=DOWNLOAD)
    for number, entry in read_jsonl(path):
        with record(path, number):
            labelled = "relevant_windows" in entry and "ans" in entry
            yield Row(
                id=str(entry["qid"]),
                video=f"{entry['vid']}.mp4",
                duration=seconds(entry["duration"]),
                spans=[span_of(pair) for pair in entry.get("relevant_windows", [])],
                source="rextime",
                question=entry.get("question", entry["query"]).strip(),
                options=bare_options(entry["options"]) if entry.get("options") else None,
                answer=entry.get("ans"),
                meta={} if labelled else {"unlabelled": True},
            )
