"""TACoS: one JSON object, ``{"<video>.avi": {"timestamps", "sentences", "num_frames", "fps"}}``, times in frames.

Seconds are frame / fps, clamped to num_frames / fps, as in microsoft/2D-TAN.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from timeground.data.formats.files import clamped_span, find_file, read_json, record, report_left_out
from timeground.data.rows import Row

SPLITS = ("test", "val", "train")
DOWNLOAD = "github.com/microsoft/2D-TAN (data/TACoS)"


def read(root: Path, split: str = "test") -> Iterator[Row]:
    """Yield rows of ``<split>.json``."""
    path = find_file(root, f"{split}.json", f"TACoS/{split}.json", download=DOWNLOAD)
    left_out = 0
    with record(path, "top level"):
        videos = list(read_json(path).items())
    for video, entry in videos:
        with record(path, video):
            fps, stem = float(entry["fps"]), video.removesuffix(".avi")
            duration_s = entry["num_frames"] / fps
            pairs = list(zip(entry["timestamps"], entry["sentences"], strict=True))
            spans = [clamped_span((start / fps, end / fps), duration_s) for (start, end), _ in pairs]
        for index, ((span, changed), (_, sentence)) in enumerate(zip(spans, pairs, strict=True)):
            if span is None:
                left_out += 1
                continue
            yield Row(
                id=f"{stem}-{index}",
                video=video,
                duration=duration_s,
                query=sentence.strip(),
                spans=[span],
                source="tacos",
                meta={"fps": fps, **changed},
            )
    report_left_out(path, left_out, "the start is not before the end")
