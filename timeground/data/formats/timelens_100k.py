"""TimeLens-100K, training data: JSONL of ``{source, video_path, duration, events: [{query, span}]}``.

``span`` is ``[[start, end]]``, or a plain pair. One row an event; an event without a usable span is left out. Hub:
TencentARC/TimeLens-100K.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timeground.data.formats.files import find_file, read_jsonl, record, report_left_out, seconds, span_of
from timeground.data.formats.timelens_bench import clean_query
from timeground.data.rows import Row
from timeground.spans import Span

SPLITS = ("train",)
DOWNLOAD = "huggingface.co/datasets/TencentARC/TimeLens-100K"


def read(root: Path, split: str = "train") -> Iterator[Row]:
    """Yield rows of ``timelens-100k.jsonl``."""
    path = find_file(root, "timelens-100k.jsonl", "TimeLens-100K/timelens-100k.jsonl", download=DOWNLOAD)
    left_out = 0
    for number, entry in read_jsonl(path):
        with record(path, number):
            duration_s, video = seconds(entry["duration"]), entry["video_path"]
            events = [(clean_query(event["query"]), _usable_spans(event["span"])) for event in entry["events"]]
        for index, (query, spans) in enumerate(events):
            if not spans or not query:
                left_out += 1
                continue
            yield Row(
                id=f"{number}-{index}",
                video=video,
                duration=duration_s,
                query=query,
                spans=spans,
                source=str(entry.get("source", "timelens-100k")),
            )
    report_left_out(path, left_out, "no query, or a span that is reversed or has no length")


def _usable_spans(value: Any) -> list[Span]:
    """Return every span of an event, or none if one of them cannot be used."""
    pairs = [value] if value and not isinstance(value[0], list) else value
    try:
        spans = [span_of(pair) for pair in pairs]
    except ValueError:
        return []
    return spans if all(span.length_s > 0 for span in spans) else []
