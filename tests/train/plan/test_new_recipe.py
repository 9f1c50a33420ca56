"""`timeground train init`: a recipe that `train check` passes."""

from __future__ import annotations

from pathlib import Path

import pytest
from timeground.train.config import GrpoSettings, load_any_recipe

from timeground.cli.main import main
from timeground.data.rows import Row, read_rows, write_rows
from timeground.spans import Span


@pytest.mark.parametrize("kind", ["sft", "grpo"])
def test_a_recipe_for_rows_and_the_bundled_model_passes_its_check(synth_folder: Path, tmp_path, capsys, kind):
    out, rows = tmp_path / "my recipe.yaml", synth_folder / "annotations.jsonl"
    words = ["--rows", str(rows), "--model", "tiny", "--out", str(out), "--kind", kind, "--validation-rows", str(rows)]
    assert main(["train", "init", *words]) == 0
    assert f"train check {out}" in capsys.readouterr().out
    settings = load_any_recipe(str(out)).settings
    assert settings.kind == kind and settings.model.init == "tiny" and settings.model.lora is None
    assert settings.data.rows == str(rows) and settings.data.videos == str(synth_folder)
    assert settings.clips_needed(1) >= 3 * len({row.video for row in read_rows(rows)})
    if isinstance(settings, GrpoSettings):
        tasks = {row.task for row in read_rows(rows)}
        assert ("choice" in tasks) == ("choice" in {reward.name for reward in settings.rewards})
    assert main(["train", "check", str(out)]) == 0
    assert "smallest GPU" in capsys.readouterr().out
    assert main(["train", "init", *words]) == 2 and "is there already" in capsys.readouterr().err


def test_a_large_model_gets_adapters_and_an_unknown_one_a_note(synth_folder: Path, capsys):
    rows = str(synth_folder / "annotations.jsonl")
    assert main(["train", "init", "--rows", rows, "--model", "Qwen/Qwen3-VL-8B-Instruct"]) == 0
    told = capsys.readouterr()
    assert "lora: {rank: 16" in told.out and "note:" not in told.err
    assert main(["train", "init", "--rows", rows, "--model", "someone/unknown"]) == 0
    told = capsys.readouterr()
    assert "--shape" in told.err and 'init: "someone/unknown"' in told.out


def test_names_are_read_back_as_they_are(synth_folder: Path, tmp_path, capsys):
    rows = tmp_path / 'odd "name": #1.jsonl'
    write_rows(rows, read_rows(synth_folder / "annotations.jsonl"))
    words = ["--rows", str(rows), "--model", "tiny", "--out", str(tmp_path / "a.yaml"), "--videos", str(synth_folder)]
    assert main(["train", "init", *words]) == 0
    assert load_any_recipe(str(tmp_path / "a.yaml")).settings.data.rows == str(rows)


def test_mistakes_are_one_line(tmp_path, capsys):
    row = Row("a", "clip.mp4", 10.0, "x", [Span(1, 2)])

    def said(*rows: Row) -> str:
        write_rows(tmp_path / "rows.jsonl", rows)
        assert main(["train", "init", "--rows", str(tmp_path / "rows.jsonl"), "--model", "tiny"]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        return error

    assert "--videos DIR" in said(row)
    assert "no rows to train on" in said()
    assert "ends after the video" in said(Row("a", "clip.mp4", 10.0, "x", [Span(1, 20)]))
    assert main(["train", "init", "--rows", str(tmp_path / "none.jsonl"), "--model", "tiny"]) == 2
    assert "no such file" in capsys.readouterr().err
