"""ActivityNet Captions: one JSON object, ``{"v_<id>": {"duration", "timestamps", "sentences"}}``.

``test`` is the original val_2 (17,031 pairs, what papers report on) and ``val`` is val_1, as microsoft/2D-TAN names
them. Spans are clamped to the video (134 ends of ``val`` lie past it); what has no length then is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from timeground.data.formats.files import clamped_span, find_file, read_json, record, report_left_out, seconds
from timeground.data.rows import Row

SPLITS = ("test", "val", "train")
DOWNLOAD = "github.com/microsoft/2D-TAN (data/ActivityNet)"


def read(root: Path, split: str = "test") -> Iterator[Row]:
    """Yield rows of ``<split>.json``."""
    path = find_file(root, f"{split}.json", f"ActivityNet/{split}.json", download=DOWNLOAD)
    left_out = 0
    with record(path, "top level"):
        videos = list(read_json(path).items())
    for video, entry in videos:
        with record(path, video):
            duration_s = seconds(entry["duration"])
            pairs = list(zip(entry["timestamps"], entry["sentences"], strict=True))
            spans = [clamped_span(pair, duration_s) for pair, _ in pairs]
        for index, ((span, changed), (_, sentence)) in enumerate(zip(spans, pairs, strict=True)):
            if span is None:
                left_out += 1
                continue
            yield Row(
                id=f"{video}-{index}",
                video=f"{video}.mp4",
                duration=duration_s,
                query=sentence.strip(),
                spans=[span],
                source="activitynet-captions",
                meta=changed,
            )
    report_left_out(path, left_out, "the start is not before the end")
