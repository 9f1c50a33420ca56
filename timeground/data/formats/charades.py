"""Charades-STA: text lines for the moments, a CSV of Charades for the lengths of the videos.

A line is ``<video> <start> <end>##<sentence>``; the CSV's column ``length`` holds seconds. Ends past the length
are clamped to it (562 of the 3,720 test lines), and a line whose start is not before its end is left out (4 of
the 12,408 training lines, which are swapped). Rules as in the loader of microsoft/2D-TAN.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from timeground.data.formats.files import (
    clamped_span,
    find_file,
    read_csv,
    read_lines,
    record,
    report_left_out,
    seconds,
)
from timeground.data.rows import Row
from timeground.errors import UserError

SPLITS = ("test", "train")
DOWNLOAD = "github.com/microsoft/2D-TAN (data/Charades-STA)"


def read(root: Path, split: str = "test") -> Iterator[Row]:
    """Yield rows of ``charades_sta_<split>.txt`` with ``Charades_v1_<split>.csv`` beside it."""
    path = find_file(root, f"charades_sta_{split}.txt", f"Charades-STA/charades_sta_{split}.txt", download=DOWNLOAD)
    split = path.stem.removeprefix("charades_sta_")
    lengths_s = _lengths(find_file(path.parent, f"Charades_v1_{split}.csv", download=DOWNLOAD))
    left_out = 0
    for number, line in read_lines(path):
        with record(path, number):
            moment, sentence = line.split("##", 1)
            video, start, end = moment.split()
            if video not in lengths_s:
                raise UserError(f"{path}:{number}: video {video} is not in Charades_v1_{split}.csv; use its file")
            span, changed = clamped_span((start, end), lengths_s[video])
        if span is None:
            left_out += 1
            continue
        yield Row(
            id=f"{video}-{number}",
            video=f"{video}.mp4",
            duration=lengths_s[video],
            query=sentence.strip(),
            spans=[span],
            source="charades-sta",
            meta=changed,
        )
    report_left_out(path, left_out, "the start is not before the end")


def _lengths(path: Path) -> dict[str, float]:
    """Return seconds of each video."""
    lengths_s = {}
    for number, cells in read_csv(path):
        with record(path, number):
            lengths_s[cells["id"]] = seconds(cells["length"])
    return lengths_s
