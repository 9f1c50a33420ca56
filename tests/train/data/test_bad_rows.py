"""A bad row in the middle of a run is listed with its id and reason and replaced, whatever its error."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from timeground.train.data import render
from timeground.train.data.rejected import Rejected

from tests.support.runs import command
from timeground.cli.main import main
from timeground.data.rows import Row, read_rows
from timeground.media import decode as decoding


def train(folder: Path, output: Path, *more: str) -> int:
    words = ["data.synth_seed=null", f"data.rows={folder / 'rows.jsonl'}", f"data.videos={folder}", "save_every=2"]
    words += ["optimizer.schedule=constant", "data.questions_per_video=2"]
    return main(command(output, *words, *more)[3:])


def listed(output: Path) -> list[dict]:
    return [json.loads(line) for line in (output / "rejected.jsonl").read_text().splitlines()]


def metrics(output: Path) -> list[dict]:
    return [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]


def broken(monkeypatch: pytest.MonkeyPatch, video: str, error: BaseException) -> None:
    """Have a video fail while it is decoded, as one that is damaged far inside does."""
    whole = decoding.decode

    def decode(path, *args, **kwargs):
        if str(path).endswith(video):
            raise error
        return whole(path, *args, **kwargs)

    monkeypatch.setattr(decoding, "decode", decode)


ERRORS = [
    RuntimeError("no\nsuch frame"),
    IndexError("list index out of range"),
    MemoryError(),
    OSError(5, "read error"),
]


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_a_video_that_fails_in_the_middle(error, num_workers, data, tmp_path, monkeypatch):
    rows = list(read_rows(data / "rows.jsonl"))
    bad = [row for row in rows if row.video == rows[2].video]
    broken(monkeypatch, bad[0].video, error)
    assert train(data, tmp_path / "run", "steps=4", f"data.num_workers={num_workers}") == 0
    assert len(metrics(tmp_path / "run")) == 4
    lines = listed(tmp_path / "run")
    assert [line["id"] for line in lines] == [row.id for row in bad]
    assert all(line["reason"].startswith(type(error).__name__) and "\n" not in line["reason"] for line in lines)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_one_row_of_a_clip_is_left_out_and_the_others_are_trained_on(num_workers, data, tmp_path, monkeypatch):

    rows = list(read_rows(data / "rows.jsonl"))
    asked = render.row_prompt

    def row_prompt(prompts, row):
        return asked(prompts, row) if row.id != rows[2].id else {}["no template"]

    monkeypatch.setattr(render, "row_prompt", row_prompt)
    assert train(data, tmp_path / "run", "steps=4", f"data.num_workers={num_workers}") == 0
    (line,) = listed(tmp_path / "run")
    assert (line["id"], line["reason"]) == (rows[2].id, "KeyError: 'no template'")


def test_a_run_with_a_bad_row_resumes_exactly(data, tmp_path, monkeypatch):
    rows = list(read_rows(data / "rows.jsonl"))
    broken(monkeypatch, rows[2].video, RuntimeError("no such frame"))
    assert train(data, tmp_path / "whole", "steps=6", "data.num_workers=0") == 0
    assert train(data, tmp_path / "twice", "steps=4", "data.num_workers=2") == 0
    assert train(data, tmp_path / "twice", "steps=6", "data.num_workers=1") == 0
    for name in ("metrics.jsonl", "model/model.safetensors", "rejected.jsonl"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "twice" / name).read_bytes(), name


@pytest.mark.parametrize("num_workers", [0, 2])
def test_where_every_row_is_bad_one_line_says_why(num_workers, data, tmp_path, monkeypatch, capsys):
    broken(monkeypatch, ".mp4", RuntimeError("no such frame"))
    assert train(data, tmp_path / "run", "steps=2", f"data.num_workers={num_workers}") == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "none of the rows" in line and "RuntimeError: no such frame" in line and "Traceback" not in line


def test_a_worker_that_dies_is_one_line(data, tmp_path, monkeypatch, capsys):
    whole = decoding.decode
    me = os.getpid()
    monkeypatch.setattr(decoding, "decode", lambda *a, **k: whole(*a, **k) if os.getpid() == me else os._exit(9))
    assert train(data, tmp_path / "run", "steps=2", "data.num_workers=1") == 2
    assert "a process that decodes ahead has died" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "run" / "rejected.jsonl").exists(), "no row is blamed for what came from outside"


@pytest.mark.parametrize("num_workers", [1, 2])
def test_a_video_that_crashes_its_reader_is_named_and_passed_over_from_then_on(
    num_workers, data, tmp_path, monkeypatch, capsys
):
    whole, bad = decoding.decode, list(read_rows(data / "rows.jsonl"))[2:4]

    def decode(path, *args, **kwargs):
        if str(path).endswith(bad[0].video):
            os.kill(os.getpid(), signal.SIGSEGV)
        return whole(path, *args, **kwargs)

    monkeypatch.setattr(decoding, "decode", decode)
    more = ["steps=3", f"data.num_workers={num_workers}"]
    assert train(data, tmp_path / "run", *more) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert f"video {bad[0].video!r} crashes its reader (Segmentation fault)" in line
    assert train(data, tmp_path / "run", *more) == 0
    assert [line["id"] for line in listed(tmp_path / "run")] == [row.id for row in bad]
    assert len(metrics(tmp_path / "run")) == 3 and not list((tmp_path / "run").glob(".decoding-*"))


def test_the_list_holds_each_row_once_and_survives_a_kill(tmp_path):
    file = tmp_path / "rejected.jsonl"
    file.write_text('{"id": "a", "video": "a.mp4", "reason": "x"}\n{"id": "b", "vid')
    row = Row(id="\ud800\u2028", video="c.mp4", duration=1.0, query="q")
    for _ in range(2):
        Rejected(file).add([(Row(id="a", video="a.mp4", duration=1.0), "again"), (row, "bad\nrow")])
    lines = [line for line in file.read_text().split("\n") if line]
    assert [json.loads(line)["id"] for line in (lines[0], lines[2])] == ["a", row.id] and len(lines) == 3


def test_a_row_that_cannot_be_asked_is_replaced_in_reinforcement_learning(data, tmp_path, monkeypatch):

    from tests.support.runs import SMALL

    rows = list(read_rows(data / "rows.jsonl"))
    asked = render.row_prompt

    def row_prompt(prompts, row):
        return asked(prompts, row) if row.id != rows[2].id else {}["no template"]

    monkeypatch.setattr(render, "row_prompt", row_prompt)
    broken(monkeypatch, rows[4].video, RuntimeError("no such frame"))
    words = ["data.synth_seed=null", f"data.rows={data / 'rows.jsonl'}", f"data.videos={data}", "data.num_workers=1"]
    words += ["rewards=[tiou]", "steps=3", f"output={tmp_path / 'run'}", "refilter={every: 2, low: -1.0, high: 1.0}"]
    assert main(["train", "grpo", "tiny-grpo", *SMALL, *words]) == 0
    assert {line["id"] for line in listed(tmp_path / "run")} == {rows[2].id, rows[4].id, rows[5].id}
