"""NExT-GQA: questions with five options in a CSV, and the spans that show the answer in a JSON file.

The CSV's column ``answer`` is the option's text. Row ids are ``<video>_<qid>``, the keys of its prediction files.
``meta`` keeps the type of the question (CW, CH, TN, TC, TP). Starts before the video (36 of
``gsub_test.json`` are -0.1 or -0.2) are moved to 0; ``meta`` then has the spans as published. Format: doc-doc/NExT-GQA
(datasets/nextgqa).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from timeground.data.formats.files import (
    PUBLISHED,
    find_file,
    mended_spans,
    read_csv,
    read_json,
    record,
    report_mended,
    report_unanswerable,
    seconds,
)
from timeground.data.formats.options import letter_of_text
from timeground.data.rows import Row

SPLITS = ("test", "val")
NUM_OPTIONS = 5
DOWNLOAD = "github.com/doc-doc/NExT-GQA (datasets/nextgqa)"


def read(root: Path, split: str = "test") -> Iterator[Row]:
    """Yield rows of ``<split>.csv`` that ``gsub_<split>.json`` grounds."""
    spans_path = find_file(root, f"gsub_{split}.json", f"datasets/nextgqa/gsub_{split}.json", download=DOWNLOAD)
    split = spans_path.stem.removeprefix("gsub_")
    path = find_file(spans_path.parent, f"{split}.csv", download=DOWNLOAD)
    with record(spans_path, "top level"):
        videos = dict(read_json(spans_path).items())
    mended = unanswerable = cut = 0
    for number, cells in read_csv(path):
        with record(path, number):
            video, qid = cells["video_id"], cells["qid"]
            options = _options(cells)
            answer = letter_of_text(cells["answer"], options)
        with record(spans_path, f"{video}/{qid}"):
            if qid not in videos.get(video, {}).get("location", {}):
                continue  # the CSV of another release also lists questions without spans
            duration_s = seconds(videos[video]["duration"])
            spans, changed = mended_spans(videos[video]["location"][qid])
        mended += sum(start_s < 0 for start_s, _ in changed.get(PUBLISHED, []))
        unanswerable += answer is None
        cut += len(options) < NUM_OPTIONS
        yield Row(
            id=f"{video}_{qid}",
            video=f"{video}.mp4",
            duration=duration_s,
            spans=spans,
            source="next-gqa",
            question=cells["question"],
            options=options,
            answer=answer,
            meta={"type": cells["type"], **changed},
        )
    report_mended(spans_path, mended, "spans begin before the video; their starts are moved to 0")
    report_unanswerable(path, unanswerable)
    report_mended(path, cut, "with fewer than five options; they are asked with those that are there")


def _options(cells: Mapping[str, str | None]) -> list[str]:
    """Return the options of a line, without those that are missing at its end."""
    options = [cells[f"a{i}"] or "" for i in range(NUM_OPTIONS)]
    while options and not options[-1]:
        options.pop()
    return options
