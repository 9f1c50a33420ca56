"""A run: every row kept or listed, only what changed is done again, mistakes in the input, the report."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.pipeline import LIGHT, rejected, run, summary
from timeground.cli.main import main
from timeground.data.rows import read_rows


def test_every_row_is_kept_or_listed_with_a_reason(write_recipe, tmp_path, pile):
    assert run(write_recipe(LIGHT)) == 0
    left = {row.id for row in read_rows(tmp_path / "out" / "rows.jsonl")}
    dropped = rejected(tmp_path / "out")
    out = {one["row"]["id"] for one in dropped}
    assert left | out == {row.id for row in read_rows(pile / "rows.jsonl")} and not left & out
    assert all(one["stage"] and one["class"] and one["reason"] for one in dropped)
    classes = {one["video"]: one["class"] for one in dropped}
    assert classes == {"videos/copy.mp4": "copy", "videos/bad.mp4": "failed"}


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
    assert list(summary(tmp_path / "out")["failed_videos"]) == ["videos/bad.mp4"]


def test_rows_cannot_lead_out_of_the_root(write_recipe, tmp_path, capsys, pile):
    row = next(read_rows(pile / "rows.jsonl"))
    row.video = "../outside.mp4"
    (tmp_path / "bad.jsonl").write_text(json.dumps(row.to_json()) + "\n")
    assert run(write_recipe(LIGHT), f"input.rows={tmp_path / 'bad.jsonl'}") == 2
    assert "bad.jsonl:1" in capsys.readouterr().err


def test_bare_videos_are_taken_from_a_folder(write_recipe, tmp_path, pile):
    recipe = write_recipe([{"stage": "probe", "min_s": 1}, {"stage": "duplicates"}], input={"videos": str(pile)})
    assert run(recipe) == 0
    dropped = rejected(tmp_path / "out")
    assert {(one["video"], one["class"]) for one in dropped} >= {("videos/bad.mp4", "failed")}
    assert all(one["row"] is None for one in dropped)


def test_report_and_check(write_recipe, tmp_path, capsys):
    assert run(write_recipe(LIGHT)) == 0
    assert main(["data", "report", str(tmp_path / "out"), "--samples", "3"]) == 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert "data:image/png" in page and "looks like" in page and '="http' not in page
    assert str(tmp_path) not in page and str(Path.home()) + "/" not in page
    assert main(["data", "check", str(tmp_path / "out" / "rows.jsonl")]) == 0
    (tmp_path / "bad.jsonl").write_text('{"id": "a"}\n{"id": 1, "video": "v", "duration": -1}\n')
    assert main(["data", "check", str(tmp_path / "bad.jsonl")]) == 2
    said = capsys.readouterr().out
    assert "bad.jsonl:1" in said and "bad.jsonl:2" in said
    assert main(["data", "report", str(tmp_path)]) == 2


def test_exports_are_written_in_every_run_and_the_rows_pass_them_as_they_are(write_recipe, tmp_path):
    recipe = write_recipe([*LIGHT, {"stage": "export", "formats": ["rows"]}, {"stage": "direction", "again": True}])
    assert run(recipe) == 0
    exported, shards = tmp_path / "out" / "exports" / "rows.jsonl", sorted((tmp_path / "out" / "work").glob("0?-*/*"))
    before, written = exported.read_bytes(), [path.stat().st_mtime_ns for path in shards]
    assert len(before.splitlines()) == summary(tmp_path / "out")["stages"][4]["rows_out"] > 0
    exported.unlink()
    assert run(recipe) == 0
    assert exported.read_bytes() == before and [path.stat().st_mtime_ns for path in shards] == written
