"""LongVideo-Haystack (LV-Haystack, 2504.02259): questions with options, and the key frames that show the answer.

``{video_id, question, options: {"A": ..., ...}, answer: "A", frame_indexes_video: [...], video_metadata: {frame_rate,
video_duration, vclip_interval_in_video}}``; videos of Ego4D. Key frames are numbers of frames of the video; a row has
their seconds as ``meta["frames_s"]``, beside which what a method looked at is measured. Keys as in T*'s reader
(mll-lab-nu/TStar 6b3a2e1, ``LVHaystackBench/run_TStar_onDataset.py``), which asks about the whole video;
``vclip_interval_in_video`` is not read, because published readers take it for seconds and for frames. **Not checked**
against the published file; one whose ``options`` are a list of pairs, as Parquet can have them, is read too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from timeground.data.formats.files import find_file, good_rows, seconds
from timeground.data.formats.options import leading_letter
from timeground.data.formats.tables import read_table, table_names
from timeground.data.rows import Row

SPLITS = ("test", "test_tiny", "tiny", "val", "train")
DOWNLOAD = "huggingface.co/datasets/LVHaystack/LongVideoHaystack"
KEY_FRAMES = "frames_s"
"""Key of ``Row.meta`` with the true frames, in seconds."""


def read(root: Path, split: str = "test") -> Iterator[Row]:
    """Yield rows of the table of a split."""
    path = find_file(root, *table_names(split), download=DOWNLOAD)
    yield from good_rows(path, read_table(path), _row)


def _row(where: object, item: dict[str, Any]) -> Row:
    facts, options = item["video_metadata"], _options(item["options"])
    fps = float(facts["frame_rate"])
    if not fps > 0:
        raise ValueError(f"frame_rate {fps} is no rate")
    frames_s = sorted(seconds(int(index) / fps) for index in item["frame_indexes_video"])
    if not frames_s:
        raise ValueError("frame_indexes_video is empty")
    return Row(
        id=str(item.get("id", where)),
        video=f"{item['video_id']}.mp4",
        duration=seconds(facts["video_duration"]),
        source="longvideohaystack",
        question=item["question"].strip(),
        options=options,
        answer=leading_letter(item["answer"], options),
        meta={KEY_FRAMES: frames_s},
    )


def _options(published: Any) -> list[str]:
    """Return the options in the order of their letters, without those that a table fills up with nothing."""
    pairs = published.items() if isinstance(published, Mapping) else published
    return [text for _, text in sorted(pairs) if text is not None]
