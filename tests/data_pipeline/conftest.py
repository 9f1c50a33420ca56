"""A folder of short SynthMoments videos with a bad one among them, and a way to run recipes on it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from timeground.data_pipeline.settings import ModelSettings
from timeground.data_pipeline.tools import Tools

from timeground.data.rows import Row, read_rows, write_rows
from timeground.spans import Span


@pytest.fixture(scope="session")
def pile(synth_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos, a copy of the first, and a file that is no video; rows.jsonl holds rows about all."""
    root = tmp_path_factory.mktemp("pile")
    rows = list(read_rows(synth_folder / "annotations.jsonl"))
    for row in rows:
        if not (root / row.video).exists():
            (root / row.video).parent.mkdir(exist_ok=True)
            shutil.copy(synth_folder / row.video, root / row.video)
    copy = [row for row in read_rows(synth_folder / "annotations.jsonl") if row.video == rows[0].video]
    shutil.copy(synth_folder / rows[0].video, root / "videos" / "copy.mp4")
    (root / "videos" / "bad.mp4").write_bytes(b"this is not a video" * 10)
    for row in copy:
        row.id, row.video = f"copy-{row.id}", "videos/copy.mp4"
    bad = next(read_rows(synth_folder / "annotations.jsonl"))
    bad.id, bad.video = "bad-0", "videos/bad.mp4"
    write_rows(root / "rows.jsonl", [*rows, *copy, bad])
    return root


@pytest.fixture
def write_recipe(pile: Path, tmp_path: Path):
    """Write a recipe with these stages and give its path."""

    def write(stages: list[dict], **settings) -> str:
        tree = {
            "input": {"videos": str(pile), "rows": str(pile / "rows.jsonl")},
            "output": str(tmp_path / "out"),
            "shard_size": 2,
            "max_failed_share": 0.5,
            "stages": stages,
            **settings,
        }
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump(tree))
        return str(path)

    return write


@pytest.fixture
def tools(pile: Path, tmp_path: Path) -> Tools:
    return Tools(pile, tmp_path, {"tiny": ModelSettings(name="tiny")})


def make_row(name: str = "a", query: str = "the red circle moves left", spans=((2.0, 4.0),), **more) -> Row:
    return Row(name, "v.mp4", 20.0, query, [Span(*pair) for pair in spans], **more)


def passes(*answers) -> list[dict]:
    return [{"pass": "p", "spans": spans, "absent": spans == []} for spans in answers]
