"""The engine: the same bytes for any number of workers, after any interruption, and on Ray."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from timeground.cli.main import main
from timeground.data.rows import read_rows

LIGHT = [{"stage": "probe", "min_s": 1}, {"stage": "duplicates"}, {"stage": "shots"}, {"stage": "direction"}]
WITH_MODEL = [
    {"stage": "probe", "min_s": 1},
    {"stage": "ground", "passes": [{}, {"temperature": 1.0, "samples": 2}]},
    {"stage": "agree"},
    {"stage": "audit"},
    {"stage": "select", "count": 30, "bucket_s": 0},
]


def finals(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in ("rows.jsonl", "rejected.jsonl", "summary.json")}


def run(*arguments: object) -> int:
    return main(["data", "run", *map(str, arguments), "--quiet"])


@pytest.mark.long
def test_any_number_of_workers_gives_the_same_bytes(write_recipe, tmp_path):
    recipe = write_recipe(WITH_MODEL)
    assert run(recipe, f"output={tmp_path / 'one'}") == 0
    assert run(recipe, f"output={tmp_path / 'two'}", "--workers", 2, "--recycle-after", 2) == 0
    assert finals(tmp_path / "one") == finals(tmp_path / "two")
    summary = json.loads((tmp_path / "one" / "summary.json").read_text())
    assert list(summary["failed_videos"]) == ["videos/bad.mp4"] and summary["tokens_written_by_models"] > 0


def test_every_row_is_kept_or_listed_with_a_reason(write_recipe, tmp_path, pile):
    assert run(write_recipe(LIGHT)) == 0
    left = {row.id for row in read_rows(tmp_path / "out" / "rows.jsonl")}
    rejected = [json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()]
    out = {one["row"]["id"] for one in rejected}
    assert left | out == {row.id for row in read_rows(pile / "rows.jsonl")} and not left & out
    assert all(one["stage"] and one["class"] and one["reason"] for one in rejected)
    classes = {one["video"]: one["class"] for one in rejected}
    assert classes == {"videos/copy.mp4": "copy", "videos/bad.mp4": "failed"}


@pytest.mark.long
def test_killed_at_any_moment_and_started_again_gives_the_same_bytes(write_recipe, tmp_path):
    recipe = write_recipe(WITH_MODEL)
    assert run(recipe, f"output={tmp_path / 'calm'}") == 0
    command = [sys.executable, "-m", "timeground", "data", "run", recipe, "--quiet"]
    for wanted in (2, 4, 6):
        process = subprocess.Popen(command, start_new_session=True)
        work = tmp_path / "out" / "work"
        while process.poll() is None and len(list(work.glob("[0-9]*/*.jsonl"))) < wanted + 3:
            time.sleep(0.02)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert run(recipe) == 0
    assert finals(tmp_path / "out") == finals(tmp_path / "calm")


def test_a_killed_worker_is_replaced(write_recipe, tmp_path, monkeypatch):
    from timeground.data_pipeline import engine_local

    recipe = write_recipe(LIGHT)
    assert run(recipe, f"output={tmp_path / 'calm'}") == 0
    give, killed = engine_local.Worker.give, []

    def give_and_kill(self, task):
        give(self, task)
        if not killed:
            killed.append(task)
            os.kill(self.process.pid, signal.SIGKILL)

    monkeypatch.setattr(engine_local.Worker, "give", give_and_kill)
    assert run(recipe) == 0 and killed
    assert finals(tmp_path / "out") == finals(tmp_path / "calm")


def test_a_changed_recipe_runs_only_from_the_change_on(write_recipe, tmp_path):
    assert run(write_recipe(LIGHT)) == 0
    work = tmp_path / "out" / "work"
    before = {path: path.stat().st_mtime_ns for path in work.glob("[0-9]*/*.jsonl")}
    changed = [*LIGHT[:2], {"stage": "shots", "threshold": 20}, LIGHT[3]]
    assert run(write_recipe(changed)) == 0
    after = {path: path.stat().st_mtime_ns for path in work.glob("[0-9]*/*.jsonl")}
    assert {path: when for path, when in after.items() if path in before} == before
    assert {path.parent.name[3:-11] for path in set(after) - set(before)} == {"shots", "direction"}


def test_it_stops_when_too_many_videos_fail(write_recipe, tmp_path, capsys):
    assert run(write_recipe(LIGHT), "max_failed_share=0.1") == 2
    said = capsys.readouterr().err
    assert "1 of 5 videos have failed" in said and "bad.mp4" in said and said.count("\n") == 1
    assert not (tmp_path / "out" / "rows.jsonl").exists()


def test_failed_shards_are_done_again_when_asked(write_recipe, tmp_path, pile):
    good = (pile / "videos" / "copy.mp4").read_bytes()
    stages = [{"stage": "shots"}]
    (pile / "videos" / "copy.mp4").rename(pile / "away.mp4")
    try:
        recipe = write_recipe(stages)
        assert run(recipe) == 0
    finally:
        (pile / "away.mp4").rename(pile / "videos" / "copy.mp4")
    assert good == (pile / "videos" / "copy.mp4").read_bytes()
    assert run(recipe, "--retry-failed") == 0
    assert list(json.loads((tmp_path / "out" / "summary.json").read_text())["failed_videos"]) == ["videos/bad.mp4"]


def test_ray_gives_the_same_bytes(write_recipe, tmp_path):
    pytest.importorskip("ray")
    recipe = write_recipe(LIGHT)
    assert run(recipe, f"output={tmp_path / 'local'}") == 0
    command = [
        sys.executable,
        "-m",
        "timeground",
        "data",
        "run",
        recipe,
        "--quiet",
        "--engine",
        "ray",
        "--workers",
        "2",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert finals(tmp_path / "out") == finals(tmp_path / "local")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("colour=red", "unknown key colour"),
        ("stages.0.min_z=2", "unknown key"),
        ("stages.0.stage=wash", "stage"),
        ("input.videos=nowhere", "is not a folder"),
        ("input.rows=nowhere.jsonl", "nowhere.jsonl"),
        ("models.tiny.name=/nowhere/model", "/nowhere/model"),
        ("stages.1.model=big", "asks model 'big'"),
        ("shard_size=0", "shard_size"),
        ("nothing", "name=value"),
    ],
)
def test_mistakes_are_one_line_and_status_2(write_recipe, capsys, change, said):
    recipe = write_recipe([{"stage": "probe", "min_s": 1}, {"stage": "audit", "model": "tiny"}])
    assert run(recipe, change) == 2
    error = capsys.readouterr().err.strip()
    assert said in error and "\n" not in error


def test_rows_cannot_lead_out_of_the_root(write_recipe, tmp_path, capsys, pile):
    row = next(read_rows(pile / "rows.jsonl"))
    row.video = "../outside.mp4"
    (tmp_path / "bad.jsonl").write_text(json.dumps(row.to_json()) + "\n")
    assert run(write_recipe(LIGHT), f"input.rows={tmp_path / 'bad.jsonl'}") == 2
    assert "bad.jsonl:1" in capsys.readouterr().err


def test_bare_videos_are_taken_from_a_folder(write_recipe, tmp_path, pile):
    recipe = write_recipe([{"stage": "probe", "min_s": 1}, {"stage": "duplicates"}], input={"videos": str(pile)})
    assert run(recipe) == 0
    rejected = [json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()]
    assert {(one["video"], one["class"]) for one in rejected} >= {("videos/bad.mp4", "failed")}
    assert all(one["row"] is None for one in rejected)


def test_report_and_check(write_recipe, tmp_path, capsys):
    assert run(write_recipe(LIGHT)) == 0
    assert main(["data", "report", str(tmp_path / "out"), "--samples", "3"]) == 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert "data:image/png" in page and "looks like" in page and "http" not in page.replace("http://www.w3", "")
    assert main(["data", "check", str(tmp_path / "out" / "rows.jsonl")]) == 0
    (tmp_path / "bad.jsonl").write_text('{"id": "a"}\n{"id": 1, "video": "v", "duration": -1}\n')
    assert main(["data", "check", str(tmp_path / "bad.jsonl")]) == 2
    said = capsys.readouterr().out
    assert "bad.jsonl:1" in said and "bad.jsonl:2" in said
    assert main(["data", "report", str(tmp_path)]) == 2


def test_the_recipes_that_ship_are_valid():
    from timeground.data_pipeline.recipe import RECIPES, load_recipe

    for path in RECIPES.glob("*.yaml"):
        assert load_recipe(path.stem).stages
        assert yaml.safe_load(path.read_text())["stages"]
