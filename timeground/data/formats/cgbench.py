"""CG-Bench (2412.12075): questions with options about videos of half an hour, and the clues that show the answer.

``cgbench.json`` (``cgbench_mini.json``) is a JSON list of ``{qid, video_uid, duration, domain, sub_category,
question, choices: [...], right_answer: "C", clue_intervals: [[start, end], ...]}``; 12,129 questions (mini: 3,000) on
1,219 videos. Keys as in VLMEvalKit (open-compass/VLMEvalKit e8e78f0, ``vlmeval/dataset/cgbench.py``). **Not checked**
against the published file. Questions with up to 14 options.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timeground.data.formats.files import find_file, good_rows, read_json, seconds, times_of
from timeground.data.formats.options import bare_options, leading_letter
from timeground.data.rows import Row

SPLITS = ("mini", "full")
DOWNLOAD = "huggingface.co/datasets/CG-Bench/CG-Bench"
_FILES = {"mini": "cgbench_mini.json", "full": "cgbench.json"}


def read(root: Path, split: str = "mini") -> Iterator[Row]:
    """Yield rows of ``cgbench_mini.json`` (mini) or ``cgbench.json`` (full)."""
    path = find_file(root, _FILES[split], download=DOWNLOAD)
    yield from good_rows(path, ((f"item {number}", item) for number, item in enumerate(read_json(path))), _row)


def _row(_: object, item: dict[str, Any]) -> Row:
    options = bare_options(item["choices"])
    clues = [times_of(pair) for pair in item["clue_intervals"]]
    if not clues:
        raise ValueError("no clue_intervals")
    return Row(
        id=str(item["qid"]),
        video=f"{item['video_uid']}.mp4",
        duration=seconds(item["duration"]),
        spans=clues,
        source="cg-bench",
        question=item["question"].strip(),
        options=options,
        answer=leading_letter(item["right_answer"], options),
        meta={key: item[key] for key in ("domain", "sub_category") if key in item},
    )
