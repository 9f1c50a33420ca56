"""Dyn-Bench, question answering part: ``multi_json/<dataset>/<scene>_{cameraqa,qa,sceneqa}.json``.

A file is a list of ``{question, options, answer (a letter)}``; the video is a folder of pictures,
``frames/<dataset>/<scene>/``, whose rate an item's ``fps`` gives (else ``timestamps.json`` in it). Files with
``frame_sampling`` in their name are no part of it. The mask tasks (segmentation) are not read. Format:
Dynamics-X/Thinking-in-Dynamics; whether options carry their letters is **not verified**, both are read. The Hub's
``qa_tasks.parquet`` is another export and is not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from timeground.data.formats.files import UNKNOWN_DURATION_S, pictures_a_second, read_json, record
from timeground.data.formats.options import bare_options, leading_letter
from timeground.data.rows import Row
from timeground.errors import UserError

SPLITS = ("test",)
DOWNLOAD = "huggingface.co/datasets/yu2hi13/Dyn-Bench (the zip files)"
LEVELS = ("cameraqa", "qa", "sceneqa")
"""Camera-Object, Inter-Object and Object-Scene questions."""


def read(root: Path, split: str = "test") -> Iterator[Row]:
    """Yield rows of every question file; ids are ``<dataset>/<scene>_<level>/<number>``."""
    paths = [p for p in sorted((root / "multi_json").glob("*/*.json")) if p.stem.rsplit("_", 1)[-1] in LEVELS]
    paths = [path for path in paths if "frame_sampling" not in path.name]
    if not paths:
        raise UserError(f"{root}: no file multi_json/<dataset>/<scene>_qa.json; download them from {DOWNLOAD}")
    for path in paths:
        scene, level = path.stem.rsplit("_", 1)
        dataset = path.parent.name
        for number, item in enumerate(read_json(path)):
            with record(path, f"item {number}"):
                options = bare_options(item["options"])
                yield Row(
                    id=f"{dataset}/{path.stem}/{number}",
                    video=f"{dataset}/{scene}",
                    duration=UNKNOWN_DURATION_S,
                    source="dynbench",
                    question=item["question"],
                    options=options,
                    answer=leading_letter(item["answer"], options),
                    meta={"level": level, **pictures_a_second(item)},
                )
