"""MVBench: one JSON list a task in ``json/``, ``{video, question, candidates, answer}``, the answer as a text.

Five tasks add ``start`` and ``end``: only that part of the video is meant (``Row.window``). The videos of
``episodic_reasoning`` are folders of pictures, 3 a second (``meta["folder_fps"]``). **Not verified against the
official files**: the format was read in the loader of TVBench, which shares it, and in public evaluators; 20 tasks of
200 items each is from memory. The folder of each task's videos (``Row.video``) is the one that public loaders use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from timeground.data.formats.files import (
    UNKNOWN_DURATION_S,
    pictures_a_second,
    read_json,
    record,
    report_unanswerable,
    seconds,
)
from timeground.data.formats.options import letter_of_text
from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.spans import Span

SPLITS = ("test",)
DOWNLOAD = "huggingface.co/datasets/OpenGVLab/MVBench"
FOLDERS = {
    "action_sequence": "star/Charades_v1_480", "action_prediction": "star/Charades_v1_480",
    "action_antonym": "ssv2_video", "fine_grained_action": "Moments_in_Time_Raw/videos",
    "unexpected_action": "FunQA_test/test", "object_existence": "clevrer/video_validation",
    "object_interaction": "star/Charades_v1_480", "object_shuffle": "perception/videos",
    "moving_direction": "clevrer/video_validation", "action_localization": "sta/sta_video",
    "scene_transition": "scene_qa/video", "action_count": "perception/videos",
    "moving_count": "clevrer/video_validation", "moving_attribute": "clevrer/video_validation",
    "state_change": "perception/videos", "fine_grained_pose": "nturgbd", "character_order": "perception/videos",
    "egocentric_navigation": "vlnqa", "episodic_reasoning": "tvqa/frames_fps3_hq",
    "counterfactual_inference": "clevrer/video_validation",
}  # fmt: skip


FOLDER_FPS = {"episodic_reasoning": 3.0}
"""Pictures a second of the tasks whose videos are folders of pictures, where an item does not say it (TVQA)."""


def read(root: Path, split: str = "test") -> Iterator[Row]:
    """Yield rows of every ``json/<task>.json`` that is there, in order of tasks; ids are ``<task>-<number>``."""
    yield from read_tasks(root, "mvbench", FOLDERS, DOWNLOAD)


def read_tasks(root: Path, source: str, folders: Mapping[str, str], download: str) -> Iterator[Row]:
    """Yield rows of a folder of task files in MVBench's format. Raise UserError if there is none."""
    paths = [root] if root.is_file() else sorted((root / "json").glob("*.json")) or sorted(root.glob("*.json"))
    if not paths:
        raise UserError(f"{root}: no file json/<task>.json; download them from {download}")
    for path in paths:
        unanswerable = 0
        for number, item in enumerate(read_json(path)):
            with record(path, f"item {number}"):
                row = _row(source, path.stem, number, item, folders.get(path.stem, path.stem))
            unanswerable += row.answer is None
            yield row
        report_unanswerable(path, unanswerable)


def _row(source: str, task: str, number: int, item: dict[str, Any], folder: str) -> Row:
    bounded = item.get("start") is not None and item.get("end") is not None
    window = Span(seconds(item["start"]), seconds(item["end"])) if bounded else None
    return Row(
        id=f"{task}-{number}",
        video=f"{folder}/{item['video']}",
        duration=UNKNOWN_DURATION_S,
        window=window if window is not None and window.length_s > 0 else None,
        source=source,
        question=item["question"],
        options=list(item["candidates"]),
        answer=letter_of_text(item["answer"], item["candidates"], last=True),
        meta={"task": task, **pictures_a_second(item, FOLDER_FPS.get(task))},
    )
