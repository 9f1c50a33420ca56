"""A folder of short SynthMoments videos with a bad one among them, and a way to run recipes on it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from timeground.data_pipeline.asking import ModelSettings
from timeground.data_pipeline.tools import Tools

from tests.support.pipeline import run
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


@pytest.fixture
def three(pile: Path, tmp_path: Path) -> Path:
    """Two rows about each of three videos."""
    rows = []
    for number in range(3):
        video = sorted(p.name for p in (pile / "videos").glob("*.mp4") if p.name not in ("bad.mp4", "copy.mp4"))[number]
        rows.append(Row(f"{number}-a", f"videos/{video}", 8.0, f"shape {number} slides left", [Span(1, 3)]))
        rows.append(Row(f"{number}-b", f"videos/{video}", 8.0, f"shape {number} and another talk", [Span(4, 6)]))
    write_rows(tmp_path / "three.jsonl", rows)
    return tmp_path / "three.jsonl"


@pytest.fixture
def ask_server(write_recipe, three: Path):
    """Run stages on the rows of `three` (or `rows`) with the model ``big`` of a server, and give the exit status."""

    def ask(url: str, out: Path, stages: list[dict], *more: str, rows: Path = three, **settings: Any) -> int:
        models = {"big": {"name": url, "options": {"tries": 2, **settings.pop("options", {})}, **settings}}
        recipe = write_recipe(stages, models=models, shard_size=1)
        return run(recipe, f"input.rows={rows}", f"output={out}", *more)

    return ask


@pytest.fixture
def no_workers(monkeypatch):
    """Stages run in this process, so that a test can patch what they use."""
    from timeground.data_pipeline.executors.local import LocalExecutor
    from timeground.data_pipeline.work import do_task, make_tools

    def here(self, tasks, asks_models: bool):
        tools = make_tools(self.recipe)
        for task in tasks:
            yield do_task(self.recipe, task, tools)

    monkeypatch.setattr(LocalExecutor, "run", here)
