"""All that a run will need is looked at before its first step, by the trainer and by `train check` alike."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.runs import TINY, command
from timeground.cli.main import main
from timeground.data.rows import Row, read_rows, write_rows
from timeground.spans import Span


def changed(folder: Path, number: int, **changes: object) -> Row:
    rows = list(read_rows(folder / "rows.jsonl"))
    rows[number] = replace(rows[number], **changes)
    write_rows(folder / "rows.jsonl", rows)
    return rows[number]


def told(folder: Path, output: Path, capsys, *more: str) -> str:
    """The line by which a run is refused before its first step; `train check` says the same."""
    words = ["data.synth_seed=null", f"data.rows={folder / 'rows.jsonl'}", f"data.videos={folder}", *more]
    assert main(["train", "check", "tiny-sft", *TINY, *words]) == 2
    expected = capsys.readouterr().err.splitlines()[-1]
    assert main([*command(output, *words)[3:]]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line == expected
    assert not (output / "metrics.jsonl").exists() and not (output / "checkpoints").exists()
    return line


BAD = {
    "past-the-end": ({"spans": [Span(1, 500)]}, "ends after the video"),
    "window": ({"window": Span(0, 500)}, "window [0.0, 500.0] ends after"),
    "letter": ({"question": "what?", "options": ["a", "b"], "answer": "C"}, "answer 'C' is none of the 2 options"),
    "no-answer": ({"question": "what?", "options": ["a", "b"], "answer": None}, "without a right answer"),
    "one-option": ({"question": "what?", "options": ["a"], "answer": "A"}, "1 option"),
    "no-query": ({"question": "what?", "query": ""}, "query has no words"),
    "duration": ({"duration": 500.0}, "duration is 500 s, but"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_row_that_contradicts_itself_or_its_file(name, data, tmp_path, capsys):
    changes, words = BAD[name]
    row = changed(data, 3, **changes)
    line = told(data, tmp_path / "run", capsys)
    assert words in line and repr(row.id) in line and "timeground data check" in line


@pytest.mark.parametrize("name", ["past-the-end", "letter", "duration"])
def test_a_row_to_validate_on(name, data, tmp_path, capsys):
    shutil.copy(data / "rows.jsonl", data / "good.jsonl")
    changes, words = BAD[name]
    row = changed(data, 0, **changes)
    (data / "rows.jsonl").rename(data / "held-out.jsonl")
    shutil.copy(data / "good.jsonl", data / "rows.jsonl")
    line = told(data, tmp_path / "run", capsys, f"data.validation_rows={data / 'held-out.jsonl'}", "validate_every=2")
    assert line.startswith("timeground: data.validation_rows: ") and words in line and repr(row.id) in line


def test_a_video_to_validate_on(data, tmp_path, capsys):
    rows = list(read_rows(data / "rows.jsonl"))
    write_rows(data / "held-out.jsonl", [replace(rows[0], id="h-1", video="videos/gone.mp4"), rows[1]])
    held_out = [f"data.validation_rows={data / 'held-out.jsonl'}", "validate_every=2"]
    line = told(data, tmp_path / "run", capsys, *held_out)
    assert "data.validation_rows" in line and "'videos/gone.mp4' cannot be read" in line
    line = told(data, tmp_path / "run", capsys, *held_out, "data.rows=null", "data.synth_seed=3")
    assert "'videos/gone.mp4' cannot be read" in line


def test_validation_that_asks_nothing_or_is_not_there(data, tmp_path, capsys):
    rows = list(read_rows(data / "rows.jsonl"))
    write_rows(data / "held-out.jsonl", [replace(rows[0], question="Is it?", answer="yes")])
    held_out = [f"data.validation_rows={data / 'held-out.jsonl'}", "validate_every=2"]
    assert "no row that asks when" in told(data, tmp_path / "run", capsys, *held_out)
    words = ["data.synth_seed=null", f"data.rows={data / 'rows.jsonl'}", f"data.videos={data}", "validate_every=2"]
    assert main([*command(tmp_path / "run", *words, "data.validation_rows=/no/where.jsonl")[3:]]) == 2
    assert "/no/where.jsonl: no such file" in capsys.readouterr().err.splitlines()[-1]


def test_bad_rows_are_left_out_where_the_recipe_says_so(data, tmp_path, capsys):
    bad = changed(data, 3, spans=[Span(1, 500)])
    words = ["data.synth_seed=null", f"data.rows={data / 'rows.jsonl'}", f"data.videos={data}"]
    words += ["data.leave_out_bad_rows=true", "steps=2", "videos_per_micro_batch=6", "data.num_workers=0"]
    assert main([*command(tmp_path / "run", *words)[3:]]) == 0
    (line,) = [json.loads(line) for line in (tmp_path / "run" / "rejected.jsonl").read_text().splitlines()]
    assert line["id"] == bad.id and "ends after the video" in line["reason"]


def test_only_what_the_run_comes_to_is_looked_at(data, tmp_path):
    """A run of one step takes one clip of three; the others need not be there."""
    from timeground.train.config import SftSettings, load_recipe
    from timeground.train.data.inventory import look_at_data

    words = ["data.synth_seed=null", f"data.rows={data / 'rows.jsonl'}", f"data.videos={data}", "output=x"]
    for steps, videos in ((1, 1), (2, 2), (40, 3)):
        settings = load_recipe(SftSettings, "tiny-sft", [*TINY, *words, f"steps={steps}"])
        part = look_at_data(settings, 1).training
        assert part is not None and len(part.files) == videos
