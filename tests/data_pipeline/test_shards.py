"""Folders of finished work are named by the content of all that shaped them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from timeground.data_pipeline.inputs import read_items
from timeground.data_pipeline.recipe import Recipe
from timeground.data_pipeline.shards import make_plan

from timeground.chat.confidence import Calibration, Scale
from timeground.chat.profile import FILE_NAME, Profile
from timeground.data.rows import Row, write_rows
from timeground.models.names import resolve
from timeground.spans import Span


@pytest.fixture
def setup(tmp_path: Path) -> Path:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(b"not looked into")
    write_rows(tmp_path / "rows.jsonl", [Row("1", "a.mp4", 10.0, "it happens", [Span(1, 2)])])
    write_rows(tmp_path / "tests.jsonl", [Row("1", "b.mp4", 10.0, "it happens", [Span(1, 2)])])
    (tmp_path / "benchmark").mkdir()
    shutil.copytree(resolve("tiny"), tmp_path / "model")
    return tmp_path


def folders(root: Path, **model: str) -> list[str]:
    recipe = Recipe.model_validate(
        {
            "input": {"videos": str(root / "videos"), "rows": str(root / "rows.jsonl")},
            "output": str(root / "out"),
            "models": {"mine": {"name": str(root / "model"), **model}},
            "stages": [
                {"stage": "probe", "keep_out": [str(root / "tests.jsonl")]},
                {"stage": "duplicates", "keep_out": str(root / "benchmark")},
                {"stage": "ground", "passes": [{"model": "mine"}]},
            ],
        }
    )
    return [folder.name for folder in make_plan(recipe, read_items(recipe.input)).folders]


def test_the_same_inputs_give_the_same_folders(setup):
    assert folders(setup) == folders(setup)


@pytest.mark.parametrize(("what", "kept"), [("video", 0), ("rows", 0), ("tests", 1), ("benchmark", 2), ("model", 3)])
def test_other_content_under_the_same_names_is_done_again(setup, what, kept):
    """kept: how many of the four folders (what came in, and three stages) are used again."""
    before = folders(setup)
    if what == "video":
        os.utime(setup / "videos" / "a.mp4", (1, 1))
    elif what == "rows":
        write_rows(setup / "rows.jsonl", [Row("1", "a.mp4", 10.0, "it happened", [Span(1, 2)])])
    elif what == "tests":
        write_rows(setup / "tests.jsonl", [Row("1", "a.mp4", 10.0, "it happens", [Span(1, 2)])])
    elif what == "benchmark":
        (setup / "benchmark" / "c.mp4").write_bytes(b"new")
    else:
        with (setup / "model" / "model.safetensors").open("r+b") as weights:
            weights.seek(5_000_000)
            weights.write(b"\1\2\3\4")
    after = folders(setup)
    assert [old == new for old, new in zip(before, after, strict=True)] == [place < kept for place in range(4)]


def test_a_profile_of_a_file_is_known_by_what_it_says(setup):
    """Its calibration changes no answer."""
    file = setup / "mine.json"
    Profile(fps=1.0).save(setup)
    (setup / FILE_NAME).rename(file)
    before = folders(setup, profile=str(file))
    Profile(fps=1.0, calibration=Calibration(spans=Scale(2.0, 0.0))).save(setup)
    (setup / FILE_NAME).rename(file)
    assert folders(setup, profile=str(file)) == before
    file.write_text('{"fps": 2.0}')
    assert [new == old for new, old in zip(folders(setup, profile=str(file)), before, strict=True)] == [True] * 3 + [
        False
    ]
