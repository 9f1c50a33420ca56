"""Worker processes: the same bytes for any number of them, after any interruption."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.support.pipeline import LIGHT, finals, run, summary

WITH_MODEL = [
    {"stage": "probe", "min_s": 1},
    {"stage": "ground", "passes": [{}, {"temperature": 1.0, "samples": 2}]},
    {"stage": "agree"},
    {"stage": "audit"},
    {"stage": "select", "count": 30, "bucket_s": 0},
]


@pytest.mark.long
def test_any_number_of_workers_gives_the_same_bytes(write_recipe, tmp_path):
    recipe = write_recipe(WITH_MODEL)
    assert run(recipe, f"output={tmp_path / 'one'}") == 0
    assert run(recipe, f"output={tmp_path / 'two'}", "--workers", 2, "--recycle-after", 2) == 0
    assert finals(tmp_path / "one") == finals(tmp_path / "two")
    told = summary(tmp_path / "one")
    assert list(told["failed_videos"]) == ["videos/bad.mp4"] and told["tokens_written_by_models"] > 0


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


@pytest.mark.long
def test_a_killed_worker_is_replaced(write_recipe, tmp_path, monkeypatch):
    from timeground.data_pipeline.executors import local

    recipe = write_recipe(LIGHT)
    assert run(recipe, f"output={tmp_path / 'calm'}") == 0
    give, killed = local.StageWorker.give, []

    def give_and_kill(self, task):
        give(self, task)
        if not killed:
            killed.append(task)
            os.kill(self.process.pid, signal.SIGKILL)

    monkeypatch.setattr(local.StageWorker, "give", give_and_kill)
    assert run(recipe) == 0 and killed
    assert finals(tmp_path / "out") == finals(tmp_path / "calm")
