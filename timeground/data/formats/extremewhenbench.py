"""ExtremeWhenBench (2606.12300): questions of when something happens, in videos of an hour and more.

``{qid, video_id, source_corpus, question, correct_interval, video_duration_s}``; 2,273 questions on 194 videos of
LVBench, MLVU and Video-MME, which are not published again: their folders are looked for as ``videos/LVBench``,
``videos/MLVU`` and ``videos/VideoMME``. Keys as in lmms-eval's task (EvolvingLMMs-Lab/lmms-eval 75571cf,
``lmms_eval/tasks/extremewhenbench/utils.py``). **Not checked** against the published file, whose name is not known
here either: a table of that form under any of the names below is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timeground.data.formats.files import UNKNOWN_DURATION_S, find_file, good_rows, seconds, times_of
from timeground.data.formats.tables import read_table, table_names
from timeground.data.rows import Row

SPLITS = ("test",)
DOWNLOAD = "huggingface.co/datasets/min1321/extreme-when-bench"
CORPORA = ("LVBench", "MLVU", "VideoMME")


def read(root: Path, split: str = "test") -> Iterator[Row]:
    """Yield rows of the table of a split; ids are the benchmark's ``qid``."""
    path = find_file(root, *table_names(split), *table_names("extreme-when-bench"), download=DOWNLOAD)
    yield from good_rows(path, read_table(path), _row)


def _row(_: object, item: dict[str, Any]) -> Row:
    corpus = item["source_corpus"]
    if corpus not in CORPORA:
        raise ValueError(f"source_corpus {corpus!r} is none of {', '.join(CORPORA)}")
    duration = item.get("video_duration_s")
    return Row(
        id=str(item["qid"]),
        video=f"{corpus}/{item['video_id']}.mp4",
        duration=UNKNOWN_DURATION_S if duration is None else seconds(duration),
        query=item["question"].strip(),
        spans=[times_of(item["correct_interval"])],
        source="extreme-when-bench",
        meta={"corpus": corpus} | {key: item[key] for key in ("category",) if key in item},
    )
