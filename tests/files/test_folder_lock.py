"""Two runs in one folder: the second is refused while the first is alive, and no longer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from timeground.cli.main import main
from timeground.errors import UserError
from timeground.files.folder_lock import only_run

HOLD = """
import os, sys, time
from pathlib import Path
from timeground.files.folder_lock import only_run
with only_run(Path(sys.argv[1])):
    if os.fork() == 0:
        time.sleep(60)
    print(os.getpid(), flush=True)
    time.sleep(60)
"""


def commands(folder: Path, synth: Path) -> dict[str, list[str]]:
    rows = synth / "annotations.jsonl"
    (folder.parent / "pipe.yaml").write_text(
        f"input: {{videos: '{synth}', rows: '{rows}'}}\noutput: '{folder}'\nstages: [{{stage: probe, min_s: 2}}]\n"
    )
    data = folder.parent / "data"
    data.mkdir(exist_ok=True)
    if not (data / "synth").exists():
        (data / "synth").symlink_to(synth)
    grpo = ["model.init=tiny", "data.synth_seed=1", "steps=1"]
    return {
        "sft": ["train", "sft", "tiny-sft", f"output={folder}"],
        "grpo": ["train", "grpo", "tiny-grpo", f"output={folder}", *grpo],
        "eval": ["eval", "--model", "tiny", "--tasks", "synth", "--data", str(data), "--output_path", str(folder)],
        "synth": ["synth", str(folder), "--videos", "1"],
        "data": ["data", "run", str(folder.parent / "pipe.yaml"), "--quiet"],
    }


@pytest.mark.parametrize("name", ["sft", "grpo", "eval", "synth", "data"])
def test_every_program_refuses_a_folder_where_a_run_is_at_work(name, synth_folder, tmp_path, capsys):
    folder = tmp_path / "out"
    with only_run(folder):
        assert main(commands(folder, synth_folder)[name]) == 2
        there = [file.name for file in folder.iterdir()]
    error = capsys.readouterr().err
    assert f"{folder}: another run is at work in this folder" in error.splitlines()[-1]
    assert there == [".lock"], "nothing is written beside the other run"


def test_a_folder_is_free_when_its_run_has_ended(synth_folder, tmp_path):
    with only_run(tmp_path / "out"):
        pass
    assert main(["synth", str(tmp_path / "out"), "--videos", "1", "--split", "test"]) == 0
    with pytest.raises(ZeroDivisionError), only_run(tmp_path / "out"):
        _ = 1 / 0
    with only_run(tmp_path / "out"):
        pass
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["annotations.jsonl", "videos"]


def test_a_dead_process_holds_nothing_even_while_its_children_live(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None and int(process.stdout.readline()) == process.pid
        with pytest.raises(UserError, match="another run is at work"), only_run(tmp_path):
            pass
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        time.sleep(0.1)
        with only_run(tmp_path):
            pass
    finally:
        os.killpg(process.pid, signal.SIGKILL)


def test_ranks_of_one_run_do_not_refuse_each_other(tmp_path, monkeypatch):
    with only_run(tmp_path):
        monkeypatch.setenv("RANK", "1")
        with only_run(tmp_path):
            with pytest.raises(UserError, match="another run"), only_run(tmp_path):
                pass
            monkeypatch.setenv("RANK", "0")
            with pytest.raises(UserError, match="another run"), only_run(tmp_path):
                pass


def test_a_folder_that_cannot_be_made(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["synth", str(tmp_path / "file" / "out"), "--videos", "1"]) == 2
    assert "cannot be written" in capsys.readouterr().err.splitlines()[-1]
